"""All embeddings at one revision of a gallery, in a file beside it that is mapped.

Only a cache: it may be deleted at any moment, and is believed only if the gallery still
knows the transaction that it was made after. It is written beside its final place and
renamed, so readers that have mapped an earlier one keep it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from contrawarp_edge import gallery_sql
from contrawarp_edge.drafts import draft_of
from contrawarp_edge.nearest import Rows, Vectors

_MAGIC = b"contrawarp-vectors-1\n"
_HEADER_BYTES = 4096
_FETCH = 4096


@dataclass(frozen=True)
class Snapshot:
    """A mapped copy of all embeddings at one revision.

    Attributes:
        revision: The revision of the gallery that was copied.
        ids: int64 ``(N,)``, ascending.
        vectors: float32 ``(N, D)``, row i for ``ids[i]``, mapped from the file.
    """

    revision: int
    ids: Rows
    vectors: Vectors


def snapshot_path(gallery: Path) -> Path:
    """Where the snapshot of a gallery is."""
    return gallery.with_name(f"{gallery.name}-vectors")


def load(gallery: Path, connection: sqlite3.Connection, dim: int) -> Snapshot | None:
    """Maps the snapshot of a gallery, if there is one that can be believed.

    Args:
        gallery: The gallery file.
        connection: To the gallery, inside a transaction.
        dim: Length of its embeddings.

    Returns:
        The snapshot, perhaps of an earlier revision; None if it is missing, truncated,
        of another format or of another gallery.
    """
    try:
        with snapshot_path(gallery).open("rb") as file:
            return _map(file, connection, dim)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(gallery: Path, connection: sqlite3.Connection, dim: int) -> Snapshot | None:
    """Writes and maps a snapshot of the gallery's present state.

    Args:
        gallery: The gallery file.
        connection: To the gallery, inside a transaction.
        dim: Length of its embeddings.

    Returns:
        The snapshot, or None if it cannot be written there, for want of space for one.
    """
    path = snapshot_path(gallery)
    try:
        with draft_of(path) as draft:
            # Faces of a private gallery stay private.
            shutil.copymode(gallery, draft.path)
            with draft.path.open("wb") as file:
                _write(file, connection, dim)
                file.flush()
                os.fsync(file.fileno())
            with draft.path.open("rb") as file:
                snapshot = _map(file, connection, dim)
            draft.publish(path)
        return snapshot
    except (OSError, ValueError):
        return None


def _map(file: BinaryIO, connection: sqlite3.Connection, dim: int) -> Snapshot | None:
    start = file.read(_HEADER_BYTES)
    if not start.startswith(_MAGIC):
        return None
    header = json.loads(start[len(_MAGIC) :].rstrip(b"\0"))
    revision, rows = int(header["revision"]), int(header["rows"])
    token = gallery_sql.token(connection, revision)
    size = _HEADER_BYTES + rows * (8 + 4 * dim)
    if (
        token is None
        or header["token"] != token.hex()
        or header["dim"] != dim
        or os.fstat(file.fileno()).st_size != size
    ):
        return None
    if rows == 0:
        return Snapshot(revision, np.empty(0, np.int64), np.empty((0, dim), np.float32))
    content = np.memmap(file, np.uint8, "r", _HEADER_BYTES)
    ids = content[: 8 * rows].view("<i8").astype(np.int64)
    vectors = content[8 * rows :].view("<f4").reshape(rows, dim)
    if (np.diff(ids) <= 0).any():
        return None
    return Snapshot(revision, ids, vectors)


def _write(file: BinaryIO, connection: sqlite3.Connection, dim: int) -> None:
    revision = gallery_sql.revision(connection)
    token = gallery_sql.token(connection, revision)
    assert token is not None
    ids = gallery_sql.all_ids(connection)
    header = {
        "revision": revision,
        "token": token.hex(),
        "dim": dim,
        "rows": len(ids),
    }
    file.write((_MAGIC + json.dumps(header).encode()).ljust(_HEADER_BYTES, b"\0"))
    file.write(ids.astype("<i8").tobytes())
    for _, blob in embeddings_since(connection, -1):
        file.write(blob)


def embeddings_since(
    connection: sqlite3.Connection, revision: int
) -> Iterator[tuple[list[int], bytes]]:
    """Reads what was embedded after a revision, a few thousand rows at a time.

    Args:
        connection: To the gallery, inside a transaction.
        revision: The revision; -1 for all rows.

    Yields:
        Ids, and the bytes of their embeddings one after the other. All rows come by
        ascending id, later ones in any order.
    """
    if revision < 0:  # straight through the table
        found = connection.execute("SELECT id, embedding FROM images ORDER BY id")
    else:
        found = connection.execute(
            "SELECT id, embedding FROM images WHERE revision > ?", (revision,)
        )
    while rows := found.fetchmany(_FETCH):
        yield [row[0] for row in rows], b"".join(row[1] for row in rows)
