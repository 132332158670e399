"""Galleries whose writers were killed, and what is in them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from contrawarp_edge import Gallery, Record


def records(name: str, count: int) -> list[Record]:
    rng = np.random.default_rng(len(name))
    return [
        Record(f"{name}/{i}.png", "0" * 64, rng.normal(size=8).astype(np.float32))
        for i in range(count)
    ]


def paths(gallery: Path, *, readonly: bool = False) -> set[str]:
    with Gallery.open(gallery, readonly=readonly) as opened:
        return {path.partition("/")[0] for _, path, _ in opened.iter_paths()}


def integrity(gallery: Path) -> str:
    with closing(sqlite3.connect(gallery)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


# Dies as after kill -9, with a transaction in the log that is, or is not, in the file.
KILLED = """
import os, sys
sys.path.insert(0, {tests!r})
from conftest import model_info
from killed_writers import records
from contrawarp_edge import Gallery
path, before, batches, is_copied = sys.argv[1], *map(int, sys.argv[2:])
gallery = Gallery.open(path) if before else Gallery.create(path, model_info())
gallery._file.connection.execute(f"PRAGMA wal_autocheckpoint = {{is_copied}}")
for batch in range(batches):
    gallery.add(records(f"old{{batch}}", 40))
os._exit(9)
"""


def kill_a_writer(
    path: Path, *, before: bool = False, batches: int = 3, is_copied: bool = True
) -> None:
    code = KILLED.format(tests=str(Path(__file__).parent))
    arguments = [str(path), *(str(int(x)) for x in (before, batches, is_copied))]
    process = subprocess.run([sys.executable, "-c", code, *arguments], check=False)
    assert process.returncode == 9
    assert Path(f"{path}-wal").stat().st_size > 0
