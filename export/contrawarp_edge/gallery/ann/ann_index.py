"""Approximate search in large galleries: faiss IVF-SQ8, ranked again exactly.

Only a cache beside the gallery, like the snapshot: believed only if the gallery still
knows the transaction that it was built after. What was embedded since is searched
exactly, and so is everything once too much has changed.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from contrawarp_edge.core.checksums import file_checksum
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.core.optional import optional
from contrawarp_edge.gallery.embeddings.matrix import Matrix
from contrawarp_edge.gallery.store import statements
from contrawarp_edge.search.distinct import Found
from contrawarp_edge.search.nearest import exact_scores, merge, top_k
from contrawarp_edge.search.vectors import Rows, Vectors

MIN_ROWS = 200_000
"""Smaller galleries are always searched exactly."""

MAX_HITS = 1000
"""Searches for more hits are exact."""

RECALL_K = 10
"""Number of nearest images that the recall is measured on."""

_MAX_CHANGED = 0.1
# Candidates for each hit that is wanted, and at least.
_CANDIDATES, _MIN_CANDIDATES = 4, 100


@dataclass(frozen=True)
class AnnFacts:
    """What an index is, stored beside it.

    Attributes:
        revision: The revision of the gallery that was indexed.
        token: The mark of that revision, in hex digits.
        dim: Length D of the embeddings.
        rows: Number of images indexed.
        lists: Number of cells that the vectors are divided into.
        probes: Number of cells that are searched for one query.
        recall: Share of the ten nearest images that is found, measured when built.
        file: Name of the index file beside the gallery.
        size: Of that file, in bytes.
        checksum: Of that file.
    """

    revision: int
    token: str
    dim: int
    rows: int
    lists: int
    probes: int
    recall: float
    file: str
    size: int
    checksum: int


@dataclass(frozen=True)
class AnnIndex:
    """An index that was loaded, and what the gallery holds besides.

    Attributes:
        facts: What the index is.
        index: The ``faiss.IndexIVF``.
        revision: The revision of the gallery that was followed to; -1 for none.
        recent_ids: Ascending ids embedded after the index was built.
        recent: Their embeddings.
    """

    facts: AnnFacts
    index: Any
    revision: int
    recent_ids: Rows
    recent: Vectors

    def is_current(self, gallery: Path) -> bool:
        """Whether no other index was built for the gallery meanwhile."""
        return read_facts(gallery) == self.facts

    def followed(
        self, connection: sqlite3.Connection, matrix: Matrix
    ) -> AnnIndex | None:
        """The index with the gallery's present additions; None if it is outgrown."""
        if matrix.revision == self.revision:
            return self
        since = self.facts.revision
        if is_outgrown(self.facts, len(matrix), statements.count(connection, since)):
            return None
        ids = statements.ids_since(connection, since)
        return replace(
            self,
            revision=matrix.revision,
            recent_ids=ids,
            recent=matrix.take(ids),
        )

    def top_k(self, matrix: Matrix, queries: Vectors, k: int) -> list[Found]:
        """Finds hits among the candidates of the index and all recent images.

        Args:
            matrix: At the revision that was followed to.
            queries: float32 ``(Q, D)``, rows of unit length.
            k: Number of hits wanted.

        Returns:
            For each query ids and exact scores, best first.
        """
        found = top_k(self.recent, queries, k)
        candidates = search_candidates(self.index, queries, k, self.facts.probes)
        result = []
        for query, some, (rows, scores) in zip(queries, candidates, found, strict=True):
            ids = np.unique(some[some >= 0])
            ids = ids[matrix.contains(ids)]
            ids = ids[~np.isin(ids, self.recent_ids, assume_unique=True)]
            old = (ids, exact_scores(matrix.take(ids), query))
            result.append(merge(old, (self.recent_ids[rows], scores), k))
        return result


def search_candidates(index: Any, queries: Vectors, k: int, probes: int) -> Rows:
    """Ids ``(Q, n)`` among which the k nearest are likely to be; -1 for none."""
    import faiss

    wanted = min(index.ntotal, max(_CANDIDATES * k, _MIN_CANDIDATES))
    parameters = faiss.SearchParametersIVF(nprobe=probes)
    _, ids = index.search(np.ascontiguousarray(queries), wanted, params=parameters)
    return np.asarray(ids, np.int64)


def facts_path(gallery: Path) -> Path:
    """Where the facts of a gallery's index are."""
    return gallery.with_name(f"{gallery.name}-index.json")


def read_facts(gallery: Path) -> AnnFacts | None:
    """The facts of a gallery's index, None if there is none or they are damaged."""
    try:
        stored = json.loads(facts_path(gallery).read_text(encoding="utf-8"))
        checksum = stored.pop("facts_checksum")
        facts = AnnFacts(**stored)
        return facts if checksum == _checksum(facts) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # whatever it holds instead


def _checksum(facts: AnnFacts) -> int:
    return zlib.crc32(json.dumps(asdict(facts)).encode())


def is_outgrown(facts: AnnFacts, images: int, newer: int) -> bool:
    """Whether so much has changed since an index was built that it is not used.

    Args:
        facts: What the index is.
        images: Number of images in the gallery.
        newer: How many of them were embedded later. The others that were indexed are
            gone, and candidates that are gone leave fewer for the hits.
    """
    gone = facts.rows - (images - newer)
    return max(newer, gone) > _MAX_CHANGED * images


def believed_facts(
    gallery: Path, connection: sqlite3.Connection, dim: int
) -> AnnFacts | None:
    """The facts of an index that is whole and of this gallery, None if there is none.

    Args:
        gallery: The gallery file.
        connection: To the gallery, inside a transaction.
        dim: Length of its embeddings.
    """
    facts = read_facts(gallery)
    if facts is None or facts.dim != dim or Path(facts.file).name != facts.file:
        return None
    token = statements.token(connection, facts.revision)
    if token is None or token.hex() != facts.token:
        return None
    return facts if is_whole(gallery, facts) else None


def is_whole(gallery: Path, facts: AnnFacts) -> bool:
    """Whether the file of an index is as it was written.

    faiss would end the process over some damaged files.
    """
    path = gallery.with_name(facts.file)
    try:
        size = path.stat().st_size
        return size == facts.size and file_checksum(path) == facts.checksum
    except OSError:
        return False


def load(gallery: Path, connection: sqlite3.Connection, dim: int) -> AnnIndex | None:
    """Loads the index of a gallery, if there is one to search with.

    Args:
        gallery: The gallery file.
        connection: To the gallery, inside a transaction.
        dim: Length of its embeddings.

    Returns:
        The index; None if it or faiss is missing, or it is damaged, of another
        gallery or outgrown.
    """
    facts = believed_facts(gallery, connection, dim)
    return None if facts is None else opened(gallery, connection, facts)


def opened(
    gallery: Path, connection: sqlite3.Connection, facts: AnnFacts
) -> AnnIndex | None:
    """Loads an index whose facts are believed; see ``load``."""
    newer = statements.count(connection, facts.revision)
    if is_outgrown(facts, statements.count(connection), newer):
        return None
    if (faiss := optional("faiss")) is None:
        return None
    try:
        index = faiss.read_index(
            str(gallery.with_name(facts.file)),
            faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY,
        )
    except (OSError, RuntimeError):
        return None
    if index.d != facts.dim or index.ntotal != facts.rows:
        return None
    nothing = np.empty(0, np.int64), np.empty((0, facts.dim), np.float32)
    return AnnIndex(facts, index, -1, *nothing)


def write_facts(gallery: Path, facts: AnnFacts) -> None:
    """Makes an index the one that is used, and removes the one before.

    Raises:
        InputError: If the file cannot be written.
    """
    before = read_facts(gallery)
    path = facts_path(gallery)
    stored = {**asdict(facts), "facts_checksum": _checksum(facts)}
    atomic_write_text(path, json.dumps(stored, indent=2) + "\n")
    if before is not None and before.file != facts.file:
        with contextlib.suppress(OSError):
            gallery.with_name(before.file).unlink()


def remove_index(gallery: Path) -> None:
    """Removes the index of a gallery, and what is unfinished of another.

    Raises:
        OSError: If a file cannot be removed.
    """
    name = re.escape(gallery.name)
    files = re.compile(rf"{name}-index(\.json|-[0-9a-f]{{8}})")
    for path in gallery.absolute().parent.iterdir():
        if files.fullmatch(path.name):
            path.unlink(missing_ok=True)
