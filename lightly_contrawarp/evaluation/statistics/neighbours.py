"""Cosines of every image with every other one, in blocks, and precision among them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from lightly_contrawarp.evaluation.statistics.arrays import Floats, Mask

_QUERIES_AT_ONCE = 256


def unit_rows(values: Shaped[Floats, "n d"]) -> Shaped[NDArray[np.float32], "n d"]:
    """Rows scaled to length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return (values / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def cosine_blocks(
    values: Shaped[Floats, "n d"],
) -> Iterator[tuple[slice, Shaped[NDArray[np.float32], "q n"]]]:
    """Cosines of each row with all rows; a row's cosine with itself is -inf.

    Memory stays bounded: a block of 30,000 rows takes 31 MB.

    Args:
        values: Features.

    Yields:
        The rows of a block and their cosines, which the caller may write to.
    """
    unit = unit_rows(values)
    for start in range(0, len(unit), _QUERIES_AT_ONCE):
        rows = slice(start, min(start + _QUERIES_AT_ONCE, len(unit)))
        scores = unit[rows] @ unit.T
        scores[np.arange(rows.stop - start), np.arange(start, rows.stop)] = -np.inf
        yield rows, scores


def precision_at(
    k: int, scores: Shaped[Floats, "q n"], relevant: Shaped[Mask, "q n"]
) -> Shaped[NDArray[np.float64], " q"]:
    """The share of the k best items that are relevant.

    Of items that tie for the last places, each counts by its chance to get one, so
    that the order of the items never matters and features that are all the same score
    what chance gives.

    Args:
        k: At least 1; with fewer candidates, all of them count.
        scores: Higher is better; -inf marks items that are no candidates.
        relevant: Which items are.

    Returns:
        One for each query; NaN for one without candidates.
    """
    place = max(scores.shape[1] - k, 0)
    last = np.partition(scores, place, axis=1)[:, place, None]
    above = scores > last
    # Where fewer than k are candidates, the last place is -inf and none is tied.
    tied = (scores == last) & np.isfinite(last)
    places = np.minimum(k, np.isfinite(scores).sum(axis=1)) - above.sum(axis=1)
    share = places / np.maximum(tied.sum(axis=1), 1)
    hits = (above & relevant).sum(axis=1) + share * (tied & relevant).sum(axis=1)
    taken = above.sum(axis=1) + places
    with np.errstate(invalid="ignore"):
        return np.asarray(hits / taken)


def average_precision(
    scores: Shaped[Floats, "q n"], relevant: Shaped[Mask, "q n"]
) -> Shaped[NDArray[np.float64], " q"]:
    """The mean, over the relevant items, of the precision down to their score.

    Items of the same score count as one step, as in scikit-learn's
    ``average_precision_score``, so that the order of the items never matters.

    Args:
        scores: Higher is better; -inf marks items that are no candidates.
        relevant: Which items are.

    Returns:
        One for each query; NaN for one without a relevant candidate.
    """
    candidate = np.isfinite(scores)
    ordered = np.sort(scores, axis=1)
    result = np.full(len(scores), np.nan)
    for query, row in enumerate(scores):
        hits = np.sort(row[relevant[query] & candidate[query]])
        if len(hits):
            retrieved = row.size - np.searchsorted(ordered[query], hits)
            found = len(hits) - np.searchsorted(hits, hits)
            result[query] = np.mean(found / retrieved)
    return result
