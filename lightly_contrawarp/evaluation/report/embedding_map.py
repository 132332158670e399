"""An embedding laid out in the plane, coloured by expression and by person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.neighbours import unit_rows

MOST_POINTS = 2000
"""Larger sets are drawn from; t-SNE takes minutes beyond this."""

PERPLEXITY = 30
SEED = 0

_COMPONENTS = 50
_PEOPLE = 10


def sample_rows(count: int) -> Shaped[Ints, " n"]:
    """The rows to lay out: all, or `MOST_POINTS` of them, the same at every call."""
    if count <= MOST_POINTS:
        return np.arange(count)
    rng = np.random.default_rng(SEED)
    return np.sort(rng.choice(count, MOST_POINTS, replace=False))


def lay_out(values: Shaped[Floats, "n d"]) -> Shaped[NDArray[np.float64], "n 2"] | None:
    """Places features in the plane: unit length, PCA to 50 dimensions, t-SNE.

    Args:
        values: The features.

    Returns:
        The places, or None for fewer than four rows or rows that are all equal.
    """
    count, dim = values.shape
    unit = unit_rows(values).astype(np.float64)
    if count < 4 or not np.ptp(unit, axis=0).any():
        return None
    components = PCA(min(_COMPONENTS, count, dim), random_state=SEED)
    reduced = components.fit_transform(unit)
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (count - 1) / 3),
        init="pca" if reduced.shape[1] > 1 else "random",
        random_state=SEED,
    )
    return np.asarray(tsne.fit_transform(reduced))


def map_by_class(
    places: Shaped[NDArray[np.float64], "n 2"],
    labels: Shaped[Ints, " n"],
    classes: Sequence[str],
) -> Figure:
    """The map with a colour for each class.

    Args:
        places: See `lay_out`.
        labels: Classes of the rows.
        classes: Their names.
    """
    groups = [(name, labels == label) for label, name in enumerate(classes)]
    return _scatter("by expression", places, [g for g in groups if g[1].any()])


def map_by_person(
    places: Shaped[NDArray[np.float64], "n 2"],
    people: Shaped[Ints, " n"],
    names: Sequence[str],
) -> Figure:
    """The map with a colour for each of the ten people with most images.

    Args:
        places: See `lay_out`.
        people: Who the rows show.
        names: Their names.
    """
    sizes = np.bincount(people, minlength=len(names))
    shown = np.argsort(-sizes, kind="stable")[:_PEOPLE]
    groups = [(names[person], people == person) for person in shown if sizes[person]]
    rest = ~np.isin(people, shown)
    return _scatter("by person", places, groups, rest if rest.any() else None)


def _scatter(
    title: str,
    places: Shaped[NDArray[np.float64], "n 2"],
    groups: Sequence[tuple[str, Shaped[NDArray[np.bool_], " n"]]],
    rest: Shaped[NDArray[np.bool_], " n"] | None = None,
) -> Figure:
    figure = Figure(figsize=(6.5, 5), dpi=150, layout="constrained")
    axes = figure.subplots()
    # Thousands of points are smaller as pixels than as shapes.
    style: dict[str, Any] = {"s": 9, "linewidths": 0, "rasterized": True}
    if rest is not None:
        axes.scatter(*places[rest].T, color="#d0d0d0", label="others", **style)
    colours = colormaps["tab10"].colors  # type: ignore[attr-defined]
    for number, (name, chosen) in enumerate(groups):
        colour = colours[number % len(colours)]
        axes.scatter(*places[chosen].T, color=colour, label=name, **style)
    axes.set(xticks=[], yticks=[], title=title)
    axes.legend(
        loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, markerscale=2
    )
    return figure
