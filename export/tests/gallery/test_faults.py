"""What goes wrong on people's machines: kills, full disks, damaged files."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import write_bad, write_damaged, write_good
from commands import COMMANDS, run
from PIL import Image

from contrawarp_edge import Embedder, Gallery, Record
from contrawarp_edge.gallery.embeddings import matrix

MakeImages = Callable[..., list[Path]]
Reference = Callable[..., np.ndarray]


def rows(path: Path) -> list[Record]:
    with Gallery.open(path, readonly=True) as gallery:
        found = [gallery.get(id) for id, _, _ in gallery.iter_paths()]
    return [row for row in found if row is not None]


def assert_aligned(gallery: Path, reference: Reference) -> None:
    """Each stored embedding is that of the file with its path."""
    for row in rows(gallery):
        pixels = np.asarray(Image.open(row.path).convert("RGB"))
        np.testing.assert_allclose(row.embedding, reference(pixels), atol=1e-5)


# Writes slowly, so that a kill can hit any moment of a transaction.
SLOW_EMBED = """
import sys, time
from contrawarp_edge import gallery_sql
from contrawarp_edge.cli import main
upsert = gallery_sql.upsert
def slow_upsert(connection, row):
    time.sleep(0.002)
    return upsert(connection, row)
gallery_sql.upsert = slow_upsert
print("begins", file=sys.stderr, flush=True)
main(sys.argv[1:])
"""


def kill_at_random(command: list[object], gallery: Path, rng: random.Random) -> int:
    """Starts ``embed``, kills it, and returns how many rows a reader saw before."""
    acknowledged = 0
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_EMBED, *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # what was imported is not worth killing
        end = time.monotonic() + 0.6 * rng.random()
        while time.monotonic() < end and process.poll() is None:
            if gallery.exists():
                with Gallery.open(gallery, readonly=True) as opened:
                    acknowledged = max(acknowledged, len(opened))
            time.sleep(0.02)
        process.kill()
    return acknowledged


@pytest.mark.parametrize(
    ("seed", "rounds"), [(0, 4), pytest.param(1, 25, marks=pytest.mark.slow)]
)
def test_kills_lose_and_misalign_nothing(
    seed: int,
    rounds: int,
    model: Path,
    tmp_path: Path,
    make_images: MakeImages,
    reference: Reference,
) -> None:
    rng = random.Random(seed)
    paths = make_images(75 * rounds)
    gallery = tmp_path / "a.gallery"
    command = ["embed", model, tmp_path / "faces", "--gallery", gallery]
    stored = 0
    for _ in range(rounds):
        acknowledged = kill_at_random(command, gallery, rng)
        if gallery.exists():
            now = len(rows(gallery))
            assert now >= max(acknowledged, stored)
            stored = now
    if stored:
        assert_aligned(gallery, reference)
    result = run(*command)
    assert f"{len(paths) - stored} embedded, {stored} unchanged" in result.stdout
    assert [row.path for row in rows(gallery)] == [str(path) for path in paths]
    assert_aligned(gallery, reference)


LIMITED = """
import resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from contrawarp_edge import matrix
from contrawarp_edge.cli import main
matrix.MIN_SNAPSHOT_ROWS = 10
main(sys.argv[2:])
"""


def run_limited(limit: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a command that cannot write files of more than so many bytes."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.slow
def test_full_disk(
    model: Path, tmp_path: Path, make_images: MakeImages, reference: Reference
) -> None:
    make_images(2000)
    gallery = tmp_path / "a.gallery"
    command = ["embed", model, tmp_path / "faces", "--gallery", gallery]
    before = {path.name for path in tmp_path.iterdir()}
    done = run_limited(10_000, *command)  # not even room for an empty gallery
    assert done.returncode == 2
    assert f"Error: {gallery}: " in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == before

    done = run_limited(500_000, *command)
    assert done.returncode == 2
    assert f"Error: {gallery}: " in done.stderr
    stored = len(rows(gallery))
    assert 500 < stored < 2000
    assert_aligned(gallery, reference)

    # There is no room for a snapshot, but searching goes on without one.
    snapshot = 4096 + stored * (8 + 4 * 8)
    done = run_limited(snapshot - 1, "search", gallery, "--id", 1, "-k", 3)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4)
    assert not (tmp_path / "a.gallery-vectors").exists()
    for output in ["/dev/full"] * Path("/dev/full").exists():
        for command_ in ("search", "cluster", "map"):
            options = ["--id", 1] if command_ == "search" else []
            done = run_limited(10**9, command_, gallery, *options, "--html", output)
            assert done.returncode == 2
            assert f"Error: {output}: cannot be written: No space" in done.stderr

    assert f"{2000 - stored} embedded, {stored} unchanged" in run(*command).stdout
    assert_aligned(gallery, reference)


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


def test_readers_while_the_disk_is_slow_and_the_cache_goes(
    model: Path,
    tmp_path: Path,
    make_images: MakeImages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matrix, "MIN_SNAPSHOT_ROWS", 50)
    paths = make_images(400)
    gallery = tmp_path / "a.gallery"
    command = ["embed", model, tmp_path / "faces", "--gallery", gallery]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_EMBED, *map(str, command)],
        stdout=subprocess.DEVNULL,
    )
    seen, rng = 0, random.Random(0)
    snapshot = tmp_path / "a.gallery-vectors"
    query = Embedder(model).embed(paths[0])
    try:
        while process.poll() is None:
            if not gallery.exists():
                continue
            with Gallery.open(gallery, readonly=True) as opened:
                for _ in range(3):
                    (hits,) = opened.search(query, k=1000)
                    assert len(hits) >= seen
                    seen = len(hits)
                    for hit in hits[:1]:
                        assert hit.score == pytest.approx(1, abs=1e-5)
            if rng.random() < 0.3 and snapshot.exists():
                snapshot.unlink()
    finally:
        process.kill()
    assert process.returncode == 0
    assert len(rows(gallery)) == 400


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
