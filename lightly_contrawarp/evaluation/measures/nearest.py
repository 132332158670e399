"""What the nearest of all other images is: the same person, or the same expression?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.intervals import (
    Estimate,
    grouped_interval,
)
from lightly_contrawarp.evaluation.statistics.neighbours import (
    cosine_blocks,
    precision_at,
)
from lightly_contrawarp.evaluation.tables import (
    Table,
    encoder_table,
    estimate_cell,
    percent,
)


@dataclass(frozen=True)
class NearestResult:
    """Of what kind the image nearest to each image is; intervals resample the people.

    The three shares add up to 1. Images that tie for the nearest count by their number.

    Attributes:
        queries: Number of images, each of which is searched for among all others.
        same_expression: Share of those whose nearest is another person with the same
            expression.
        same_person: Share of those whose nearest is the same person.
        neither: Share of those whose nearest is another person with another expression.
    """

    queries: int
    same_expression: Estimate
    same_person: Estimate
    neither: Estimate


def nearest(
    values: Shaped[Floats, "n d"],
    labels: Shaped[Ints, " n"],
    identities: Shaped[Ints, " n"],
) -> NearestResult:
    """Searches the set with each of its images, by cosine, and looks at the first hit.

    Args:
        values: Features of the images.
        labels: Their classes, any integers.
        identities: Who each image shows, any integers.

    Raises:
        NotApplicableError: If there is only one person, or only one class.
    """
    people, person = np.unique(identities, return_inverse=True)
    expressions = np.unique(labels)
    if len(people) < 2 or len(expressions) < 2:
        raise NotApplicableError(
            "what is nearest needs two people and two expressions; "
            f"got {len(people)} people and {len(expressions)} expressions"
        )
    shares, chances = np.empty((2, 3, len(labels)))
    for rows, scores in cosine_blocks(values):
        own = person[rows, None] == person
        alike = labels[rows, None] == labels
        for kind, mask in enumerate((~own & alike, own, ~own & ~alike)):
            shares[kind, rows] = precision_at(1, scores, mask)
            chances[kind, rows] = mask.sum(axis=1) / (len(labels) - 1)
    chances[1] -= 1 / (len(labels) - 1)  # the query itself is no candidate
    same_expression, same_person, neither = (
        Estimate(float(share.mean()), grouped_interval(share, person), float(c.mean()))
        for share, c in zip(shares, chances, strict=True)
    )
    return NearestResult(len(labels), same_expression, same_person, neither)


def table(results: Mapping[str, NearestResult]) -> Table:
    """Lays out results by the name of the encoder; all are of the same test set."""
    first = next(iter(results.values()))
    kinds = (first.same_expression, first.same_person, first.neither)
    return encoder_table(
        "Nearest of all others",
        "Whom the nearest image shows: another person with the same expression (more "
        "is better), the same person, or another person with another expression.",
        results,
        {
            "same expression": lambda result: estimate_cell(result.same_expression),
            "same person": lambda result: estimate_cell(result.same_person),
            "neither": lambda result: estimate_cell(result.neither),
        },
        [percent(kind.chance) for kind in kinds],
    )
