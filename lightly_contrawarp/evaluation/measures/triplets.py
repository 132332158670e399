"""Triplets of faces, of which people said which two are alike (as in Google's FEC)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.data.sets import FecTriplets
from lightly_contrawarp.evaluation.encoders.features import Features
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.intervals import (
    Estimate,
    bootstrap_interval,
)
from lightly_contrawarp.evaluation.statistics.neighbours import unit_rows
from lightly_contrawarp.evaluation.tables import (
    Table,
    encoder_table,
    estimate_cell,
    percent,
)

CHANCE = 1 / 3

# The pair that is left when one of three faces is the odd one out.
_PAIRS = ((1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class TripletResult:
    """How often an embedding agrees with people.

    Attributes:
        triplets: Number of triplets that count.
        undecided: Triplets left out because no face has most of the votes.
        accuracy: Share in which the two faces that are closest are those that most
            people chose.
        by_type: The same for each type of triplet.
        triplets_by_type: Number of triplets of each type.
    """

    triplets: int
    undecided: int
    accuracy: Estimate
    by_type: dict[str, Estimate]
    triplets_by_type: dict[str, int]


def triplet_accuracy(
    values: Shaped[Floats, "n d"],
    triplets: Shaped[Ints, "t 3"],
    odd: Shaped[Ints, " t"],
    types: Sequence[str],
) -> TripletResult:
    """Compares which of three faces are closest, by cosine, with people's choice.

    A triplet is right if the smallest of its three distances is that of the pair left
    when the odd one is taken out. Where that distance ties with others, it counts as
    the chance to pick it.

    Args:
        values: Features of the faces.
        triplets: Rows of ``values``.
        odd: Position in each triplet of the face that most people called the odd one
            out, 0 to 2; -1 where there is no such face.
        types: Type of each triplet, such as ``ONE_CLASS_TRIPLET``.

    Raises:
        NotApplicableError: If there is no triplet that people agree on.
    """
    decided = odd >= 0
    if not decided.any():
        raise NotApplicableError(
            "triplet accuracy needs a triplet with a majority of votes"
        )
    right = _agreement(values, triplets[decided], odd[decided])
    kinds = np.asarray(types)[decided]
    names = np.unique(kinds).tolist()
    return TripletResult(
        triplets=len(right),
        undecided=len(odd) - len(right),
        accuracy=_estimate(right),
        by_type={name: _estimate(right[kinds == name]) for name in names},
        triplets_by_type={name: int((kinds == name).sum()) for name in names},
    )


def fec_accuracy(faces: Features, triplets: FecTriplets) -> TripletResult:
    """Compares which faces of a triplet are closest with people's choice.

    Args:
        faces: Features of ``triplets.faces``.
        triplets: What `read_fec_triplets` returned. A triplet with a face that
            could not be read is left out.

    Raises:
        NotApplicableError: See `triplet_accuracy`.
    """
    row = np.full(len(triplets.faces), -1)
    row[faces.rows] = np.arange(len(faces.rows))
    rows = row[triplets.triplets]
    whole = (rows >= 0).all(axis=1)
    return triplet_accuracy(
        faces.values,
        rows[whole],
        triplets.odd[whole],
        np.asarray(triplets.kinds)[whole].tolist(),
    )


def table(results: Mapping[str, TripletResult]) -> Table:
    """Lays out results by the name of the encoder; all are of the same triplets."""

    def cell(kind: str) -> Callable[[TripletResult], str]:
        return lambda result: estimate_cell(result.by_type[kind])

    kinds = list(next(iter(results.values())).by_type)
    return encoder_table(
        "Triplets",
        "Agreement with people on which two of three faces are most alike.",
        results,
        {
            "all": lambda result: estimate_cell(result.accuracy),
            **{kind.split("_")[0].lower() + " class": cell(kind) for kind in kinds},
        },
        [percent(CHANCE)] * (1 + len(kinds)),
    )


def _agreement(
    values: Shaped[Floats, "n d"],
    triplets: Shaped[Ints, "t 3"],
    odd: Shaped[Ints, " t"],
) -> Shaped[NDArray[np.float64], " t"]:
    faces = unit_rows(values)[triplets].astype(np.float64)
    cosines = np.stack(
        [np.einsum("td,td->t", faces[:, a], faces[:, b]) for a, b in _PAIRS], axis=1
    )
    closest = cosines == cosines.max(axis=1, keepdims=True)
    hit = closest[np.arange(len(odd)), odd]
    return np.asarray(hit / closest.sum(axis=1))


def _estimate(right: Shaped[NDArray[np.float64], " t"]) -> Estimate:
    return Estimate(float(right.mean()), bootstrap_interval(right), CHANCE)
