"""Identity leakage: how much an embedding of expression still tells who it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.intervals import (
    Estimate,
    grouped_interval,
    percentile_interval,
    resample_counts,
)
from lightly_contrawarp.evaluation.statistics.neighbours import (
    cosine_blocks,
    precision_at,
    unit_rows,
)
from lightly_contrawarp.evaluation.statistics.verification import (
    Pairs,
    Task,
    verification_aucs,
)
from lightly_contrawarp.evaluation.tables import (
    Table,
    encoder_table,
    estimate_cell,
    percent,
)

NEAREST = 10
"""Number of nearest images among which a person is looked for."""

MAX_PAIRS = 100_000
"""Most pairs of each kind in the verification; of more, this many are drawn."""


@dataclass(frozen=True)
class IdentityResult:
    """What an embedding tells about who is shown; intervals resample the people.

    Attributes:
        people: Number of people.
        images: Number of images.
        verification_auc: Area under the ROC curve of telling pairs of images of one
            person from pairs of two people, by their cosine.
        same_person_share: Share of the ten nearest images that show the same person;
            mean over the images of people with several.
        most_possible_share: What ``same_person_share`` would be if the images of a
            person were nearest to each other.
        cosine_gap: Mean cosine of two images of one person with different expressions
            minus that of two people with the same expression: positive if it matters
            more who it is, negative if the expression matters more. None if there are
            no such pairs.
    """

    people: int
    images: int
    verification_auc: Estimate
    same_person_share: Estimate
    most_possible_share: float
    cosine_gap: Estimate | None


def identity_leakage(
    values: Shaped[Floats, "n d"],
    labels: Shaped[Ints, " n"],
    identities: Shaped[Ints, " n"],
) -> IdentityResult:
    """Measures identity leakage.

    Args:
        values: Features of the images.
        labels: Their classes, from 0.
        identities: Who each image shows, any integers.

    Raises:
        NotApplicableError: If there is only one person, or nobody has two images.
    """
    people, person = np.unique(identities, return_inverse=True)
    sizes = np.bincount(person)
    if len(people) < 2 or sizes.max() < 2:
        raise NotApplicableError(
            "identity leakage needs two people, and two images of one of them; "
            f"got {len(people)} people and at most {sizes.max()} images of one"
        )
    share, most_possible = _same_person_share(values, person, sizes)
    return IdentityResult(
        people=len(people),
        images=len(person),
        verification_auc=_verification(values, person),
        same_person_share=share,
        most_possible_share=most_possible,
        cosine_gap=_cosine_gap(values, labels, person),
    )


def table(results: Mapping[str, IdentityResult]) -> Table:
    """Lays out results by the name of the encoder; all are of the same test set."""
    first = next(iter(results.values()))
    return encoder_table(
        "Identity leakage",
        "Less is better: how well two images of a person are told from images of two "
        "(area under the curve); the person's share of the ten nearest images, at most "
        f"{percent(first.most_possible_share)}; and mean cosine of one person with "
        "two expressions minus that of two people with one expression.",
        results,
        {
            "verification": lambda result: estimate_cell(result.verification_auc),
            "same person": lambda result: estimate_cell(result.same_person_share),
            "cosine gap": lambda r: estimate_cell(r.cosine_gap, "{:+.3f}".format),
        },
        ["50.0", percent(first.same_person_share.chance), ""],
    )


def _same_person_share(
    values: Shaped[Floats, "n d"],
    person: Shaped[Ints, " n"],
    sizes: Shaped[Ints, " people"],
) -> tuple[Estimate, float]:
    shares = np.empty(len(person))
    for rows, scores in cosine_blocks(values):
        same = person[rows, None] == person
        shares[rows] = precision_at(NEAREST, scores, same)
    others = sizes[person] - 1
    queries = others > 0
    chance = float((others[queries] / (len(person) - 1)).mean())
    places = min(NEAREST, len(person) - 1)
    most_possible = float((np.minimum(others[queries], places) / places).mean())
    value = float(shares[queries].mean())
    interval = grouped_interval(shares[queries], person[queries])
    return Estimate(value, interval, chance), most_possible


def _verification(
    values: Shaped[Floats, "n d"], person: Shaped[Ints, " n"]
) -> Estimate:
    rng = np.random.default_rng(0)
    same, other = _same_pairs(person, rng), _other_pairs(person, rng)
    (areas,) = verification_aucs(unit_rows(values), person, [same], [Task((0,), other)])
    return Estimate(float(areas[0]), percentile_interval(areas[1:]), chance=0.5)


def _same_pairs(person: Shaped[Ints, " n"], rng: np.random.Generator) -> Pairs:
    order = np.argsort(person, kind="stable")
    sizes = np.bincount(person)
    starts = np.cumsum(sizes) - sizes
    per_person = sizes * (sizes - 1) // 2
    if per_person.sum() <= MAX_PAIRS:
        pairs = [
            start + np.stack(np.triu_indices(size, 1))
            for start, size in zip(starts, sizes, strict=True)
        ]
        first, second = order[np.concatenate(pairs, axis=1)]
        return Pairs(first, second)
    drawn = rng.choice(len(sizes), MAX_PAIRS, p=per_person / per_person.sum())
    one = rng.integers(sizes[drawn])
    # The other one is any of the person's images but this: a step further, in a ring.
    two = (one + 1 + rng.integers(sizes[drawn] - 1)) % sizes[drawn]
    return Pairs(order[starts[drawn] + one], order[starts[drawn] + two])


def _other_pairs(person: Shaped[Ints, " n"], rng: np.random.Generator) -> Pairs:
    count = len(person)
    if count * (count - 1) // 2 <= MAX_PAIRS:
        first, second = np.triu_indices(count, 1)
        differ = person[first] != person[second]
        return Pairs(first[differ], second[differ])
    found = [np.empty((2, 0), np.int64)]
    while sum(pairs.shape[1] for pairs in found) < MAX_PAIRS:
        pairs = rng.integers(count, size=(2, MAX_PAIRS))
        found.append(pairs[:, person[pairs[0]] != person[pairs[1]]])
    first, second = np.concatenate(found, axis=1)[:, :MAX_PAIRS]
    return Pairs(first, second)


def _cosine_gap(
    values: Shaped[Floats, "n d"],
    labels: Shaped[Ints, " n"],
    person: Shaped[Ints, " n"],
) -> Estimate | None:
    """See `IdentityResult`; from sums of unit vectors, without forming any pair.

    The cosines of all pairs inside a group add up to half of |sum of the group|^2
    minus its size.
    """
    people, classes = int(person.max()) + 1, int(labels.max()) + 1
    size = np.zeros((people, classes))
    np.add.at(size, (person, labels), 1)
    total = np.zeros((people, classes, values.shape[1]))
    np.add.at(total, (person, labels), unit_rows(values).astype(np.float64))
    inside = (total**2).sum(axis=2)  # of each person and class, pairs and self-pairs
    # One person, two expressions: pairs of the person that are in no one cell.
    cosines = (total.sum(axis=1) ** 2).sum(axis=1) - inside.sum(axis=1)
    pairs = size.sum(axis=1) ** 2 - (size**2).sum(axis=1)

    def gap(weight: Shaped[NDArray[np.floating], " people"]) -> float:
        # Two people, one expression: a person drawn twice makes no pair with itself.
        of_class = np.tensordot(weight, total, 1)
        across = (of_class**2).sum() - (weight**2) @ inside.sum(axis=1)
        across_pairs = ((weight @ size) ** 2).sum() - weight**2 @ (size**2).sum(axis=1)
        own_pairs = weight @ pairs
        if not (own_pairs and across_pairs):
            return np.nan
        return float(weight @ cosines / own_pairs - across / across_pairs)

    value = gap(np.ones(people))
    if np.isnan(value):
        return None
    resampled = [gap(c.astype(np.float64)) for c in resample_counts(people)]
    return Estimate(value, percentile_interval(resampled), chance=0.0)
