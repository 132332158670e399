"""Paths as a gallery stores and shows them."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner, Result

from contrawarp_edge import Gallery
from contrawarp_edge.cli import main

MakeImages = Callable[..., list[Path]]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stored(gallery: Path) -> list[str]:
    """What is in the file, in the order of ids."""
    with closing(sqlite3.connect(gallery)) as connection:
        return [
            row[0] for row in connection.execute("SELECT path FROM images ORDER BY id")
        ]


def seen(gallery: Path, *, readonly: bool = True) -> list[str]:
    with Gallery.open(gallery, readonly=readonly) as opened:
        return [record.path for record in opened.iter_records()]


def all_open(gallery: Path, *, readonly: bool = True) -> bool:
    """Whether each path that is shown leads to the file with the hash in its row."""
    with Gallery.open(gallery, readonly=readonly) as opened:
        records = list(opened.iter_records())
    assert records
    return all(
        os.path.exists(record.path) and sha(Path(record.path)) == record.sha256
        for record in records
    )
