"""Exact nearest neighbours by cosine similarity, in blocks and with ties settled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from contrawarp_edge.search.vectors import Mask, Rows, Scores, Vectors

# Few large products: with several threads, each one waits for the slowest.
_BLOCK_SCORES = 1 << 23
_BLOCK_QUERIES = 256
_COPIED_ROWS = 16384
_MASKED_SHARE = 0.25
# Above the rounding error of a float32 product of unit vectors: rows that come this
# close to the k-th place are compared again in float64.
_MARGIN = 1e-5


def top_k(
    vectors: Vectors, queries: Vectors, k: int, rows: Rows | None = None
) -> list[tuple[Rows, Scores]]:
    """Finds for each query the k rows with the highest cosine similarity.

    Scores are computed row by row in float64, so that equal rows get equal scores
    wherever they stand, and the lower row comes first.

    Args:
        vectors: float32 ``(N, D)``, rows of unit length; may be memory-mapped.
        queries: float32 ``(Q, D)``, rows of unit length.
        k: Number of rows wanted, at least 1; fewer are returned if there are fewer.
        rows: Ascending positions to search among; all if None.

    Returns:
        For each query the positions in ``vectors`` and their scores in [-1, 1], best
        first.
    """
    result: list[tuple[Rows, Scores]] = []
    for start in range(0, len(queries), _BLOCK_QUERIES):
        part = queries[start : start + _BLOCK_QUERIES]
        best = [(np.empty(0, np.int64), np.empty(0)) for _ in part]
        for positions, block, counts in _blocks(
            vectors, rows, _BLOCK_SCORES // max(1, len(part))
        ):
            scores = part @ block.T
            if counts is not None:
                scores[:, ~counts] = -np.inf
            # With k rows in hand, most blocks hold nothing better for most queries.
            floor = [held[-1] if len(held) == k else -np.inf for _, held in best]
            for query in np.flatnonzero(
                scores.max(axis=1) >= np.array(floor) - _MARGIN
            ):
                found = _candidates(scores[query], k, floor[query])
                exact = exact_scores(block[found], part[query])
                best[query] = merge(best[query], (positions[found], exact), k)
        result.extend(best)
    return result


def _blocks(
    vectors: Vectors, rows: Rows | None, size: int
) -> Iterator[tuple[Rows, Vectors, Mask | None]]:
    """Yields positions, their vectors, and which of them count, None for all."""
    total = len(vectors)
    mask = None
    if rows is not None and len(rows) > _MASKED_SHARE * total:
        mask = np.zeros(total, bool)  # to skip a few is quicker than to copy the rest
        mask[rows] = True
        rows = None
    if rows is not None:
        total, size = len(rows), min(size, _COPIED_ROWS)
    for start in range(0, total, size):
        stop = min(start + size, total)
        if rows is not None:
            yield rows[start:stop], vectors[rows[start:stop]], None
        else:
            counts = None if mask is None else mask[start:stop]
            yield np.arange(start, stop), vectors[start:stop], counts


def _candidates(scores: Vectors, k: int, floor: float) -> Rows:
    if k < len(scores):
        floor = max(floor, np.partition(scores, -k)[-k])
    return np.flatnonzero((scores >= floor - _MARGIN) & (scores > -np.inf))


def exact_scores(vectors: Vectors, query: Vectors) -> Scores:
    """Cosine similarity of unit rows ``(N, D)`` with a unit vector ``(D,)``.

    In float64 and row by row, so that equal rows get equal scores.
    """
    # Not a matrix product: its rounding would depend on a row's place in the block.
    products = vectors.astype(np.float64) * query.astype(np.float64)
    return np.asarray(np.clip(products.sum(axis=1), -1, 1))


def merge(
    held: tuple[Rows, Scores], new: tuple[Rows, Scores], k: int
) -> tuple[Rows, Scores]:
    """The k best of two lists of rows and scores; equal scores by ascending row."""
    rows = np.concatenate([held[0], new[0]])
    scores = np.concatenate([held[1], new[1]])
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]
