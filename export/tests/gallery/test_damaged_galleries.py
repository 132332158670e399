"""Galleries with changed bytes: named as damaged, or read as they were written.

Each seed damages one gallery in its own way. A few hundred are tried by the suite. To
try as many others as you like, name them, the last one left out:

    cd export/tests/gallery
    CONTRAWARP_FUZZ=1000:9000 pytest test_damaged_galleries.py -k seeds

The gallery is the same each time on every machine with one version of SQLite, and a
failure says which seeds to name.
"""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import COMMANDS, run
from earlier_galleries import as_version
from PIL import Image

from contrawarp_edge import Gallery, InputError, ModelInfo, Record
from contrawarp_edge.gallery import gallery as gallery_module

CHOSEN = os.environ.get("CONTRAWARP_FUZZ", "0:25")
QUERY = np.array([3, 1, -2, 5, 0, 1, 1, -4], np.float32)
COUNT = 30


class Noon(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


@pytest.fixture
def whole(tmp_path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery in which nothing is left to chance, and its images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gallery_module, "datetime", Noon)
    Path("faces").mkdir()
    rng, records = random.Random(0), []
    for number in range(COUNT):
        path = f"faces/{number:04}.bmp"
        Image.new("RGB", (4, 4), (number, 8 * number, 99)).save(path)
        sha256 = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        # Of whole numbers, so that lengths are the same to the last bit everywhere.
        vector = np.array([rng.randrange(-99, 100) for _ in range(8)], np.float32)
        records.append(Record(path, sha256, vector, {"a": number % 2, "n": "x" * 40}))
    with Gallery.create("whole", info) as gallery:
        for start in range(0, COUNT, 5):
            gallery.add(records[start : start + 5])
    with closing(sqlite3.connect("whole")) as connection, connection:
        connection.execute("UPDATE history SET token = zeroblob(15) || revision")
    return Path("whole")


def damaged(content: bytes, seed: int) -> tuple[bytes, list[str]]:
    """Flips one bit for odd seeds, and sets up to 20 bytes for even ones."""
    rng, data, changes = random.Random(seed), bytearray(content), []
    for _ in range(1 if seed % 2 else rng.randrange(1, 21)):
        at = rng.randrange(len(data))
        new = data[at] ^ 1 << rng.randrange(8) if seed % 2 else rng.randrange(256)
        changes.append(f"{at}: {data[at]:02x} -> {new:02x}")
        data[at] = new
    return bytes(data), changes


def looks(path: Path) -> Iterator[tuple[str, Any]]:
    """What is read of a gallery in several ways, None where that names damage."""

    def facts(record: Record | None) -> Any:
        return record and {**vars(record), "embedding": record.embedding.tobytes()}

    def hits(**settings: Any) -> Any:
        with Gallery.open(path, readonly=True) as gallery:
            return gallery.search(QUERY, 5, **settings)

    def all_records() -> Any:
        with Gallery.open(path, readonly=True) as gallery:
            return [facts(record) for record in gallery.iter_records()]

    def all_paths() -> Any:
        with Gallery.open(path, readonly=True) as gallery:
            return list(gallery.iter_paths()), gallery.info, gallery.aligned

    def matrix() -> Any:
        with Gallery.open(path, readonly=True) as gallery:
            found = gallery.matrix()
            return found.all_ids().tolist(), found.take(found.all_ids()).tobytes()

    def one(id: int) -> Any:
        with Gallery.open(path, readonly=True) as gallery:
            record = gallery.get(f"faces/{id - 1:04}.bmp")
            return facts(record), facts(gallery.get(id))

    views = {
        "hits": hits,
        "filtered hits": lambda: hits(where={"a": 1}),
        "records": all_records,
        "paths": all_paths,
        "matrix": matrix,
        "one": lambda: one(7),
    }
    for name, view in views.items():
        try:
            yield name, view()
        except InputError:
            yield name, None


def fails(path: Path, truth: dict[str, Any], seed: int, model: Path) -> str:
    """What goes wrong with a damaged gallery, nothing if all is well."""
    try:
        for name, seen in looks(path):
            if seen is not None and truth and seen != truth[name]:
                return f"other {name}"
        command, *options = random.Random(seed).choice(COMMANDS)
        run(command, path, *options)
        run("map", path, "--html", "map.html")
        run("embed", model, "faces", "--gallery", path)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def try_seeds(whole: Path, seeds: range, model: Path, *, compare: bool) -> None:
    truth = dict(looks(whole)) if compare else {}
    assert not compare or None not in truth.values()
    content = whole.read_bytes()
    path, problems = Path("a.gallery"), []
    for seed in seeds:
        data, changes = damaged(content, seed)
        for suffix in ("-wal", "-shm", "-vectors"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(data)
        if problem := fails(path, truth, seed, model):
            problems.append(
                f"CONTRAWARP_FUZZ={seed}:{seed + 1} {problem} ({'; '.join(changes)})"
            )
    digest = hashlib.sha256(content).hexdigest()
    assert not problems, "\n".join(
        [
            f"{len(problems)} of {len(seeds)} seeds, SQLite {sqlite3.sqlite_version}, "
            f"gallery {digest[:16]}:",
            *problems,
        ]
    )


@pytest.mark.parametrize(
    "seeds", [CHOSEN, pytest.param("25:425", marks=pytest.mark.slow)]
)
def test_seeds(seeds: str, whole: Path, shared_model: Path) -> None:
    start, stop = map(int, seeds.split(":"))
    try_seeds(whole, range(start, stop), shared_model, compare=True)


@pytest.mark.parametrize("version", [1, 2])
def test_earlier_versions(version: int, whole: Path, shared_model: Path) -> None:
    as_version(whole, version)
    try_seeds(whole, range(15), shared_model, compare=False)
