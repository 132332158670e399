"""All embeddings at one revision of a gallery, in a file beside it that is mapped.

Only a cache: it may be deleted at any moment, and is believed only if the gallery still
knows the transaction that it was made after, and if its checksums fit. It is written
beside its final place and renamed, so readers that have mapped an earlier one keep it.

The file: a header of 4096 bytes, the ids, a sum for each block of rows, the rows, and
zeros up to a multiple of 8 bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from contrawarp_edge.core.checksums import Words, block_sums
from contrawarp_edge.core.drafts import draft_of
from contrawarp_edge.core.errors import BusyError, Damage
from contrawarp_edge.gallery.store import statements
from contrawarp_edge.gallery.store.gallery_file import beside
from contrawarp_edge.search.vectors import Mask, Rows, Vectors

_MAGIC = b"contrawarp-vectors-2\n"
_HEADER_BYTES = 4096
# A search that reads few rows checks no more than the blocks that hold them.
_BLOCK_BYTES = 1 << 16
_MOST_BLOCK_ROWS = 4096


class DamagedCopyError(Damage):
    """A copy is damaged, not what it was made from."""


@dataclass(frozen=True)
class Snapshot:
    """A mapped copy of all embeddings at one revision.

    Attributes:
        revision: The revision of the gallery that was copied.
        ids: int64 ``(N,)``, ascending.
        vectors: float32 ``(N, D)``, row i for ``ids[i]``, mapped from the file. Only
            what ``check`` was told of can be believed.
        words: The same as it is summed, uint64.
        sums: Of each block of rows, as it was written.
        checked: Which blocks were found whole.
    """

    revision: int
    ids: Rows
    vectors: Vectors
    words: Words
    sums: Words
    checked: Mask

    @classmethod
    def empty(cls, revision: int, dim: int) -> Snapshot:
        """A copy of no rows."""
        vectors, sums = np.empty((0, dim), np.float32), np.empty(0, np.uint64)
        return cls(revision, np.empty(0, np.int64), vectors, sums, sums, sums > 0)

    def check(self, rows: Rows | None = None) -> None:
        """Compares rows with their sums, each block once.

        Args:
            rows: Positions; all if None.

        Raises:
            DamagedCopyError: If a block of them is not as it was written.
        """
        size = _block_rows(self.vectors.shape[1])
        if rows is None:
            wanted = np.flatnonzero(~self.checked)
        else:
            wanted = np.unique(rows // size)
            wanted = wanted[~self.checked[wanted]]
        step = _block_words(self.vectors.shape[1])
        for block in wanted:
            words = self.words[block * step : (block + 1) * step]
            if (block_sums(words, step) != self.sums[block]).any():
                raise DamagedCopyError("its copy of the embeddings is damaged")
            self.checked[block] = True


def _block_rows(dim: int) -> int:
    """Rows in a block: a power of two, so that blocks end where fetched rows do."""
    most = max(2, min(_MOST_BLOCK_ROWS, _BLOCK_BYTES // (4 * dim)))
    return 1 << (most.bit_length() - 1)


def _block_words(dim: int) -> int:
    return _block_rows(dim) * dim // 2


def snapshot_path(gallery: Path) -> Path:
    """Where the snapshot of a gallery is."""
    return beside(gallery, "-vectors")


def load(gallery: Path, connection: sqlite3.Connection, dim: int) -> Snapshot | None:
    """Maps the snapshot of a gallery, if there is one that can be believed.

    Args:
        gallery: The gallery file.
        connection: To the gallery, inside a transaction.
        dim: Length of its embeddings.

    Returns:
        The snapshot, perhaps of an earlier revision; None if it is missing, truncated,
        damaged before its rows, of another format or of another gallery.
    """
    try:
        with snapshot_path(gallery).open("rb") as file:
            return _map(file, connection, dim)
    except OSError:
        return None


def is_unusable(gallery: Path, connection: sqlite3.Connection, dim: int) -> bool:
    """Whether there is a snapshot that is damaged or of another gallery or version."""
    if not snapshot_path(gallery).exists():
        return False
    found = load(gallery, connection, dim)
    try:
        if found is not None:
            found.check()
    except DamagedCopyError:
        return True
    return found is None


def write(gallery: Path, connection: sqlite3.Connection, dim: int) -> Snapshot | None:
    """Writes and maps a snapshot of the gallery's present state.

    Args:
        gallery: The gallery file.
        connection: To the gallery, inside a transaction.
        dim: Length of its embeddings.

    Returns:
        The snapshot, or None if it cannot be written there, for want of space for one.

    Raises:
        Damage: If the gallery is damaged.
    """
    path = snapshot_path(gallery)
    try:
        before = _stamp(path)
        with draft_of(path) as draft:
            if _stamp(path) != before:  # another has written one while we waited
                found = load(gallery, connection, dim)
                if found and found.revision == statements.revision(connection):
                    return found
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
    except (OSError, BusyError):
        return None


def _stamp(path: Path) -> tuple[int, int] | None:
    """By which it shows that a file was replaced."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _map(file: BinaryIO, connection: sqlite3.Connection, dim: int) -> Snapshot | None:
    header = _read_header(file)
    if header is None or header["dim"] != dim:
        return None
    revision, rows = header["revision"], header["rows"]
    token = statements.token(connection, revision)
    if token is None or token.hex() != header["token"]:
        return None
    if rows == 0:
        return Snapshot.empty(revision, dim)
    first, last = _rows_at(rows, dim), _end(rows, dim)
    if os.fstat(file.fileno()).st_size != last + -last % 8:
        return None
    content = np.memmap(file, np.uint8, "r")
    if zlib.crc32(content[_HEADER_BYTES:first].tobytes()) != header["before_rows"]:
        return None
    ids = content[_HEADER_BYTES : _HEADER_BYTES + 8 * rows].view("<i8")
    sums = content[_HEADER_BYTES + 8 * rows : first].view("<u8").astype(np.uint64)
    return Snapshot(
        revision,
        ids.astype(np.int64),
        content[first:last].view("<f4").reshape(rows, dim),
        content[first:].view("<u8"),
        sums,
        np.zeros(len(sums), bool),
    )


def _read_header(file: BinaryIO) -> dict[str, Any] | None:
    start = file.read(_HEADER_BYTES)
    checksum, _, text = start.removeprefix(_MAGIC).rstrip(b"\0").partition(b"\n")
    if not start.startswith(_MAGIC) or checksum != b"%d" % zlib.crc32(text):
        return None
    header: dict[str, Any] = json.loads(text)
    return header


def _write(file: BinaryIO, connection: sqlite3.Connection, dim: int) -> None:
    revision = statements.revision(connection)
    token = statements.token(connection, revision)
    if token is None:  # a gallery of the first version, which is only read
        raise OSError("a copy could not be told from another's")
    rows = statements.count(connection)
    ids, sums = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    file.seek(_rows_at(rows, dim))
    for some, vectors in statements.embeddings_since(connection, -1, dim):
        ids.append(some)
        content = vectors.astype("<f4").tobytes()
        content += bytes(-len(content) % 8)
        file.write(content)
        sums.append(block_sums(np.frombuffer(content, "<u8"), _block_words(dim)))
    stored = np.concatenate(ids)
    statements.check_count(len(stored), rows)
    before = (
        stored.astype("<i8").tobytes() + np.concatenate(sums).astype("<u8").tobytes()
    )
    header = {
        "revision": revision,
        "token": token.hex(),
        "dim": dim,
        "rows": rows,
        "before_rows": zlib.crc32(before),
    }
    text = json.dumps(header).encode()
    start = _MAGIC + b"%d\n" % zlib.crc32(text) + text
    file.seek(0)
    file.write(start.ljust(_HEADER_BYTES, b"\0") + before)


def _rows_at(rows: int, dim: int) -> int:
    """Where the rows begin in the file."""
    return _HEADER_BYTES + 8 * rows + 8 * -(-rows // _block_rows(dim))


def _end(rows: int, dim: int) -> int:
    """Where they end."""
    return _rows_at(rows, dim) + 4 * dim * rows
