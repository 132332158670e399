"""Damaged images, galleries and models are named and end no run."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import write_bad, write_damaged, write_good
from commands import COMMANDS, run
from stored_rows import rows

from contrawarp_edge import Gallery, Record

MakeImages = Callable[..., list[Path]]
Reference = Callable[..., np.ndarray]


def test_bad_inputs(model: Path, tmp_path: Path, reference: Reference) -> None:
    good, bad = write_good(tmp_path / "good"), write_bad(tmp_path / "bad")
    gallery, page = tmp_path / "a.gallery", tmp_path / "page.html"
    command = ["embed", model, "--gallery", gallery]
    result = run(*command, tmp_path / "good", tmp_path / "bad")
    assert result.exit_code == 3
    assert f"{len(good)} embedded, 0 unchanged, {len(bad)} skipped" in result.stdout
    assert len(result.stderr.splitlines()) == len(bad)  # a line each, whatever the name
    stored = {Path(row.path): row.embedding for row in rows(gallery)}
    assert stored.keys() == good.keys()
    for path, pixels in good.items():
        np.testing.assert_allclose(stored[path], reference(pixels), atol=1e-5)
    listed = tmp_path / "list"
    listed.write_bytes(b"\0".join(map(os.fsencode, sorted(bad | good.keys()))))
    result = run(*command, "--list", listed, "--null", "--every", 1)
    assert result.exit_code == 3, result.stderr
    assert f"0 embedded, {len(good)} unchanged, {len(bad)} skipped" in result.stdout

    for path in sorted(bad):
        if b"\xff" in os.fsencode(path):  # as a query it is as good as any
            continue
        for arguments in (
            [*command[:2], path, "--gallery", tmp_path / "b.gallery"],
            ["search", gallery, path],
            ["search", gallery, "--id", 1, "--not", path],
            ["search", path, "--id", 1],
            ["info", path],
            ["info", gallery, path],
            [*command, tmp_path / "good", "--metadata", path],
            ["embed", path, tmp_path / "good", "--gallery", gallery],
        ):
            if path.name == "pipe.png" and "--metadata" in arguments:
                continue  # which may come through a pipe, so it is waited for
            assert run(*arguments).exit_code == 2, arguments
    assert not (tmp_path / "b.gallery").exists()
    for path in bad | good.keys():  # as if they had been good when they were embedded
        with Gallery.open(gallery) as opened:
            name = os.fsencode(path).decode(errors="replace")
            opened.add([Record(name, "", np.ones(8, np.float32))])
    for arguments in (
        ["search", gallery, "--id", 1, "-k", 99, "--html", page],
        ["cluster", gallery, "-k", 3, "--html", page],
        ["map", gallery, "--html", page],
        ["dedupe", gallery],
        ["prune", gallery],
    ):
        assert run(*arguments).exit_code == 0


@pytest.mark.parametrize("count", [60, pytest.param(3000, marks=pytest.mark.slow)])
def test_damaged_images(model: Path, tmp_path: Path, count: int) -> None:
    write_damaged(tmp_path / "faces", count)
    gallery = tmp_path / "a.gallery"
    command = ["embed", model, tmp_path / "faces", "--gallery", gallery]
    first = run(*command)
    assert first.exit_code == 3
    embedded = len(rows(gallery))
    assert 0 < embedded < count
    second = run(*command)
    assert f"0 embedded, {embedded} unchanged, {count - embedded} sk" in second.stdout


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "folder", "pipe", "half"])
def test_what_is_no_gallery(
    kind: str, model: Path, tmp_path: Path, make_images: MakeImages
) -> None:
    make_images(40)
    path = tmp_path / "a.gallery"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("hello" * 1000)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "half":
        run("embed", model, tmp_path / "faces", "--gallery", path)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    for name, *options in COMMANDS:
        assert run(name, path, *options).exit_code == 2
    assert run("map", path, "--html", tmp_path / "map.html").exit_code == 2


def test_a_model_that_was_tampered_with(
    model: Path, tmp_path: Path, make_images: MakeImages
) -> None:
    make_images(3)
    gallery = tmp_path / "a.gallery"
    command = ["embed", model, tmp_path / "faces", "--gallery", gallery]
    run(*command)
    content = model.read_bytes()
    rng = random.Random(0)
    for number in range(60):
        data = bytearray(content)
        if number % 3 == 0:
            del data[rng.randrange(len(data)) :]
        else:
            data[rng.randrange(len(data) - 600)] ^= 1 << rng.randrange(8)
        model.write_bytes(data)
        for arguments in (
            command,
            ["search", gallery, tmp_path / "faces" / "0000.png"],
            ["info", model],
        ):
            assert run(*arguments).exit_code == 2, number
    assert len(rows(gallery)) == 3
