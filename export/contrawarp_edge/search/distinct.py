"""Leaving out hits: too far away, or nearly the same as a better one."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from contrawarp_edge.search.vectors import Rows, Scores, Vectors

Found = tuple[Rows, Scores]
_BLOCK = 512


def kept_hits(
    find: Callable[[int], Found],
    take: Callable[[Rows], Vectors],
    k: int,
    *,
    min_score: float | None = None,
    distinct: float | None = None,
    exclude: Collection[int] = (),
) -> Found:
    """Searches as deep as needed for k hits that may stay.

    Args:
        find: Ids and scores of the given number of hits, best first.
        take: The embeddings of ids.
        k: Hits wanted.
        min_score: Least score of a hit.
        distinct: A hit that is at least this similar to a better one is left out.
        exclude: Ids that are left out.

    Returns:
        Ids and scores of at most k hits, best first.
    """
    wanted = k + len(exclude)
    while True:
        ids, scores = find(wanted)
        is_all = len(ids) < wanted
        stays = ~np.isin(ids, list(exclude))
        if min_score is not None:
            is_all = is_all or bool(len(scores) and scores[-1] < min_score)
            stays &= scores >= min_score
        ids, scores = ids[stays], scores[stays]
        if distinct is None:
            return ids[:k], scores[:k]
        chosen = first_distinct(take(ids), distinct, k)
        if is_all or len(chosen) == k:
            return ids[chosen], scores[chosen]
        wanted *= 4


def first_distinct(vectors: Vectors, limit: float, most: int) -> Rows:
    """The first rows that are less similar than a limit to each other.

    Args:
        vectors: float32 ``(N, D)``, rows of unit length.
        limit: Cosine similarity from which a row counts as the same as an earlier one.
        most: Number of rows to stop at.

    Returns:
        Ascending positions; each row left out is that similar to one of them.
    """
    chosen: list[int] = []
    is_out = np.zeros(len(vectors), bool)
    for start in range(0, len(vectors), _BLOCK):
        if len(chosen) == most:
            break
        rows = start + np.flatnonzero(~is_out[start : start + _BLOCK])
        is_same = vectors[rows] @ vectors[start:].T >= limit
        for row, same in zip(rows, is_same, strict=True):
            if len(chosen) == most:
                break
            if not is_out[row]:
                chosen.append(int(row))
                is_out[start:] |= same
    return np.array(chosen, np.int64)
