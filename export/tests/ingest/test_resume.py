"""A run that is killed loses nothing that was stored, and is continued by repeating."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from contrawarp_edge import Embedder, Gallery, Record
from contrawarp_edge.cli import main
from contrawarp_edge.core.errors import StorageError
from contrawarp_edge.ingest.embed import Outcome, _store
from contrawarp_edge.model.embedder import FileBatch

# Writes slowly, so that a kill hits the middle of a transaction.
SLOW_EMBED = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
from contrawarp_edge.cli import main
from contrawarp_edge.gallery.store import statements
upsert = statements.upsert
def slow_upsert(connection, row):
    time.sleep(0.004)
    return upsert(connection, row)
statements.upsert = slow_upsert
main(sys.argv[1:])
"""


def rows(path: Path) -> list[Record]:
    with Gallery.open(path, readonly=True) as gallery:
        found = [gallery.get(number) for number in range(1, 1 + len(gallery))]
    return [row for row in found if row is not None]


def stop_after(command: list[str | Path], gallery: Path, count: int, how: int) -> int:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_EMBED, *command], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if gallery.exists() and len(rows(gallery)) >= count:
            os.kill(process.pid, how)
            break
        time.sleep(0.005)
    return process.wait(timeout=300)


def embed(command: list[str | Path]) -> str:
    result = CliRunner().invoke(main, [str(part) for part in command])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_kill_and_resume(
    model: Path, tmp_path: Path, make_images: Callable[..., list[Path]]
) -> None:
    make_images(200)
    killed, quiet = tmp_path / "killed.gallery", tmp_path / "quiet.gallery"
    command: list[str | Path] = ["embed", model, tmp_path / "faces", "--gallery"]
    stored = 0
    for count in (1, 60, 120):
        code = stop_after([*command, killed], killed, count, signal.SIGKILL)
        assert code == -signal.SIGKILL
        assert len(rows(killed)) >= max(count, stored)
        stored = len(rows(killed))
    assert stored < 200

    text = embed([*command, killed])
    assert f"{200 - stored} embedded, {stored} unchanged" in text
    embed([*command, quiet])
    for one, other in zip(rows(killed), rows(quiet), strict=True):
        assert (one.id, one.path, one.sha256) == (other.id, other.path, other.sha256)
        np.testing.assert_allclose(one.embedding, other.embedding, atol=1e-6)


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to another process")
def test_interrupt_keeps_what_was_stored(
    model: Path, tmp_path: Path, make_images: Callable[..., list[Path]]
) -> None:
    make_images(200)
    gallery = tmp_path / "a.gallery"
    command: list[str | Path] = [
        "embed",
        model,
        tmp_path / "faces",
        "--gallery",
        gallery,
    ]
    assert stop_after(command, gallery, 1, signal.SIGINT) == 130
    assert 32 <= len(rows(gallery)) < 200
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.gallery", "faces", "model.onnx"}


def test_two_that_begin_one_gallery(
    model: Path,
    tmp_path: Path,
    make_images: Callable[..., list[Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever comes second goes on with what the first has made."""
    images = make_images(5)
    path = tmp_path / "a.gallery"
    really = Gallery.create
    other = Record("other.png", "0" * 64, np.ones(8, np.float32))

    def create(*arguments: Any, **options: Any) -> Gallery:
        with really(*arguments, **options) as gallery:
            gallery.add([other])
        return really(*arguments, **options)

    monkeypatch.setattr(Gallery, "create", create)
    assert "5 embedded" in embed(["embed", model, tmp_path, "--gallery", path])
    assert {row.path for row in rows(path)} == {"other.png", *map(str, images)}


def test_frames_of_videos_that_changed_go_last(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erasing takes long and may fail, when the batch should be stored already."""
    embedder = Embedder(model)
    names = [f"/v/{name}.mp4#t={time}.000" for name in "ab" for time in range(3)]
    vector = np.ones(embedder.info.dim, np.float32)
    new = [Path(name) for name in names[::3]]
    batch = FileBatch(
        new, ["new"] * 2, np.stack([vector] * 2), np.empty((2, 0), "f4"), [], [], []
    )
    with Gallery.create(tmp_path / "a.gallery", embedder.info) as gallery:
        gallery.add([Record(name, "old", vector) for name in names])
        deleted: list[list[int]] = []

        def delete(ids: list[int]) -> int:
            deleted.append(sorted(ids))
            raise StorageError("another process reads the gallery")

        monkeypatch.setattr(gallery, "delete", delete)
        with pytest.raises(StorageError):
            _store(gallery, batch, lambda path: {}, Outcome())
        assert deleted == [[2, 3, 5, 6]]
        assert gallery.sha256_of(names[0]) == gallery.sha256_of(names[3]) == "new"
