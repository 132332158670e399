"""Approximate search in large galleries: faiss IVF-SQ8, ranked again exactly.

Only a cache beside the gallery, like the snapshot: believed only if the gallery still
knows the transaction that it was built after. What was embedded since is searched
exactly, and so is everything once too much has changed.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from contrawarp_edge.core.optional import optional
from contrawarp_edge.gallery.ann.index_file import (
    AnnFacts,
    file_of,
    is_outgrown,
    is_whole,
    required_faiss,
)
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

# Candidates for each hit that is wanted, and at least.
_CANDIDATES, _MIN_CANDIDATES = 4, 100


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
    wanted = min(index.ntotal, max(_CANDIDATES * k, _MIN_CANDIDATES))
    parameters = required_faiss().SearchParametersIVF(nprobe=probes)
    _, ids = index.search(np.ascontiguousarray(queries), wanted, params=parameters)
    return np.asarray(ids, np.int64)


def load(
    gallery: Path, connection: sqlite3.Connection, facts: AnnFacts
) -> AnnIndex | None:
    """Loads the index of a gallery, if there is one to search with.

    Args:
        gallery: The gallery file.
        connection: To the gallery, inside a transaction.
        facts: What the index is; believed.

    Returns:
        The index; None if it is outgrown or damaged, or faiss is missing.
    """
    newer = statements.count(connection, facts.revision)
    if is_outgrown(facts, statements.count(connection), newer):
        return None
    if (faiss := optional("faiss")) is None or not is_whole(gallery, facts):
        return None
    try:
        index = faiss.read_index(
            str(file_of(gallery, facts)),
            faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY,
        )
    except (OSError, RuntimeError):
        return None
    if index.d != facts.dim or index.ntotal != facts.rows:
        return None
    nothing = np.empty(0, np.int64), np.empty((0, facts.dim), np.float32)
    return AnnIndex(facts, index, -1, *nothing)
