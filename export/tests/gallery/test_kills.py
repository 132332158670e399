"""Kills, full disks and slow ones lose nothing and mix nothing up."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import run
from stored_rows import assert_aligned, rows

from contrawarp_edge import Embedder, Gallery
from contrawarp_edge.gallery.embeddings import matrix

MakeImages = Callable[..., list[Path]]
Reference = Callable[..., np.ndarray]


# Writes slowly, so that a kill can hit any moment of a transaction.
SLOW_EMBED = """
import sys, time
from contrawarp_edge.cli import main
from contrawarp_edge.gallery.store import statements
upsert = statements.upsert
def slow_upsert(connection, row):
    time.sleep(0.002)
    return upsert(connection, row)
statements.upsert = slow_upsert
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
from contrawarp_edge.cli import main
from contrawarp_edge.gallery.embeddings import matrix
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
