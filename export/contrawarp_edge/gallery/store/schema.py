"""The tables of a gallery's file, and those of earlier versions brought up to date."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping
from pathlib import Path

from contrawarp_edge.core.errors import DamagedError, InputError
from contrawarp_edge.core.sqlite.transactions import transaction
from contrawarp_edge.gallery.store import meta_table, row_checks
from contrawarp_edge.model.info import ModelInfo

SCHEMA_VERSION = 4

# `history` counts the write transactions, and each row keeps the one that wrote its
# embedding last: whoever holds a copy of the embeddings can tell what is new. The
# random mark of each transaction tells whether a copy is one of this gallery.
_HISTORY = """
CREATE TABLE history (revision INTEGER PRIMARY KEY, token BLOB NOT NULL);
"""
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    metadata TEXT NOT NULL,
    added TEXT NOT NULL,
    revision INTEGER NOT NULL,
    embedding BLOB NOT NULL CHECK (length(embedding) = {size}),
    {recognised},
    checksum INTEGER NOT NULL DEFAULT -1
);
CREATE INDEX images_revision ON images (revision);
"""
# What a model with classes makes of an image: the most probable class, by which images
# are chosen, and the probability of each, float32, in the order of the model's names.
_RECOGNISED = (
    "expression TEXT NOT NULL DEFAULT ''",
    "scores BLOB NOT NULL DEFAULT x''",
)
# What a gallery of an earlier version lacks, where it may not be upgraded.
_WITHOUT_HISTORY = """
CREATE TEMP VIEW history AS
SELECT CAST(value AS INTEGER) AS revision, NULL AS token FROM main.meta
WHERE key = 'revision';
"""
_WITHOUT_CHECKSUMS = f"{row_checks.UNCHECKED} AS checksum"
_WITHOUT_SCORES = "'' AS expression, x'' AS scores"
_CHECKED = ("schema_version", "model", "fingerprint", "dim", "aligned")
# By which a file is known again after it was moved or renamed.
_BY_CONTENT = """
CREATE INDEX IF NOT EXISTS images_content ON images (sha256, path);
"""


def make_tables(
    connection: sqlite3.Connection, meta: Mapping[str, str], dim: int
) -> None:
    """Makes the tables of an empty gallery, inside a transaction.

    Args:
        connection: To an empty file.
        meta: Entries of the meta table besides ``schema_version``.
        dim: Length D of the embeddings.
    """
    whole = {"schema_version": str(SCHEMA_VERSION), **meta}
    whole["checksum"] = _checksum(whole)
    tables = (
        _HISTORY
        + _SCHEMA.format(size=4 * dim, recognised=", ".join(_RECOGNISED))
        + _BY_CONTENT
    )
    for statement in filter(str.strip, tables.split(";")):
        connection.execute(statement)
    connection.execute("INSERT INTO history VALUES (0, randomblob(16))")
    meta_table.set_entries(connection, whole)


def read_meta(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    """The entries of the meta table.

    Raises:
        InputError: If the file is no gallery, or one of a newer version.
        DamagedError: If what it says of its model is damaged.
    """
    try:
        meta = meta_table.entries(connection)
        version, _ = int(meta["schema_version"]), int(meta["dim"])
    except sqlite3.OperationalError as error:
        if "no such" not in str(error):  # table or column
            raise
        raise InputError(f"{path}: not a gallery") from error
    except sqlite3.DatabaseError as error:
        if "malformed" in str(error):
            raise
        raise InputError(f"{path}: not a gallery") from error
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: not a gallery") from error
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{path}: written by a newer version; upgrade contrawarp-edge to open it"
        )
    # Earlier versions wrote none; if there is one, damage only makes it look earlier.
    if (version >= 3 or "checksum" in meta) and meta.get("checksum") != _checksum(meta):
        raise DamagedError(path, "is damaged: what it says of its model has changed")
    return meta


def _checksum(meta: Mapping[str, object]) -> str:
    """CRC-32 of the entries that stay as they were when the gallery was made."""
    text = "\n".join(f"{key}={meta.get(key)}" for key in _CHECKED)
    return str(zlib.crc32(text.encode(errors="replace")))


def complete(connection: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    """Lets a gallery of an earlier version be read like one of today's, unchanged."""
    version = int(meta["schema_version"])
    if version < 2:
        connection.executescript(_WITHOUT_HISTORY)
    lacking = [_WITHOUT_SCORES] + [_WITHOUT_CHECKSUMS] * (version < 3)
    connection.execute(
        f"CREATE TEMP VIEW images AS SELECT *, {', '.join(lacking)} FROM main.images"
    )


def upgrade(connection: sqlite3.Connection) -> None:
    """Brings a gallery of an earlier version up to date, in one step."""
    with transaction(connection, "IMMEDIATE"):
        meta = meta_table.entries(connection)
        version = int(meta["schema_version"])
        if version < 2:
            _add_history(connection, meta)
        if version < 4:  # else another process was quicker
            for column in _RECOGNISED:  # what is empty leaves checksums as they are
                connection.execute(f"ALTER TABLE images ADD COLUMN {column}")
            if version < 3:
                connection.execute(_BY_CONTENT)
                row_checks.add_checksums(connection)
            changed = {"schema_version": str(SCHEMA_VERSION)}
            changed["checksum"] = _checksum({**meta, **changed})
            meta_table.set_entries(connection, changed)


def _add_history(connection: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    """Gives a gallery of version 1, which had no random marks, its history."""
    connection.execute(_HISTORY)
    connection.execute(
        "INSERT INTO history SELECT CAST(value AS INTEGER), randomblob(16) FROM meta "
        "WHERE key = 'revision'"
    )
    meta_table.remove_entry(connection, "revision", meta["revision"])


def facts_of(info: ModelInfo, *, aligned: bool) -> dict[str, str]:
    """What the meta table says of the embeddings."""
    return {
        "model": json.dumps(info.to_metadata()),
        "fingerprint": info.fingerprint,
        "dim": str(info.dim),
        "aligned": "yes" if aligned else "no",
    }


def model_of(meta: Mapping[str, str], path: Path) -> ModelInfo:
    """The model of a gallery's embeddings by its meta table.

    Raises:
        DamagedError: If that is unreadable.
        InputError: If it is of a newer version.
    """
    try:
        facts = json.loads(meta["model"])
    except (KeyError, ValueError):
        facts = None
    if not isinstance(facts, dict) or not all(
        isinstance(value, str) for value in facts.values()
    ):
        raise DamagedError(path, "is damaged: what it says of its model is unreadable")
    return ModelInfo.from_metadata(facts, path)
