"""All the randomness of drawn faces: identities, expressions and nuisances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from lightly_contrawarp.data.synthetic.traits import (
    COLOURS,
    FRAMES,
    HAIRS,
    IRISES,
    NUISANCE_RANGES,
    NUISANCES,
    SHAPE_RANGES,
    SKINS,
    TRAITS,
    Array,
    hair_traits,
    palette,
    scale_to,
)

EMOTIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
"""Classes of drawn faces, in the order of their labels."""

ACTION_RANGES: dict[str, tuple[float, float]] = {
    "smile": (-1.0, 1.0),
    "mouth_open": (0.0, 1.0),
    "mouth_wide": (-1.0, 1.0),
    "eye_open": (-1.0, 1.0),
    "brow_raise": (-1.0, 1.0),
    "brow_tilt": (-1.0, 1.0),
    "inner_raise": (0.0, 1.0),
    "nose_wrinkle": (0.0, 1.0),
}
"""Facial actions and their ranges; at 0 the face is at rest.

``smile`` lifts the corners of the mouth (negative: lowers them), ``brow_tilt``
lowers the inner ends of the brows, ``inner_raise`` lifts them, and ``nose_wrinkle``
lifts the nose and the upper lip.
"""

ACTIONS = tuple(ACTION_RANGES)

PROTOTYPES: dict[str, tuple[float, ...]] = {
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "happy": (1.0, 0.4, 0.5, -0.25, 0.15, -0.1, 0.0, 0.0),
    "sad": (-0.85, 0.0, -0.25, -0.4, -0.05, -0.25, 1.0, 0.0),
    "surprise": (0.0, 0.95, -0.7, 0.9, 1.0, -0.1, 0.0, 0.0),
    "fear": (-0.55, 0.4, 0.65, 1.0, 0.55, -0.3, 0.85, 0.0),
    "disgust": (-0.5, 0.2, -0.2, -0.75, -0.6, 0.25, 0.0, 1.0),
    "anger": (-0.6, 0.2, 0.25, 0.25, -0.5, 1.0, 0.0, 0.1),
}
"""Actions of each emotion at full intensity."""

INTENSITY = (0.5, 1.0)
ACTION_NOISE = 0.12

# Independent random streams for one seed.
_IDENTITY, _FACE, _LABEL_ORDER, _IDENTITY_ORDER = range(4)
_IDENTITY_DRAWS = len(SHAPE_RANGES) + 24
_FACE_DRAWS = len(NUISANCES) + len(ACTIONS) + 9


@dataclass(frozen=True)
class FaceParameters:
    """Everything that decides the pixels of N drawn faces.

    Attributes:
        labels: ``(N,)`` int64, index into ``EMOTIONS``.
        identities: ``(N,)`` int64, the person drawn.
        actions: ``(N, len(ACTIONS))`` float32, within ``ACTION_RANGES``.
        traits: ``(N, len(TRAITS))`` float32, the same for all faces of an identity.
        nuisances: ``(N, len(NUISANCES))`` float32.
        colours: ``(N, len(COLOURS), 3)`` float32 in [0, 1].
        noise_keys: ``(N,)`` int64, selects the pixel noise.
    """

    labels: Tensor
    identities: Tensor
    actions: Tensor
    traits: Tensor
    nuisances: Tensor
    colours: Tensor
    noise_keys: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | Tensor) -> FaceParameters:
        """The faces of a slice or of a 1-D index tensor."""
        return FaceParameters(*(getattr(self, f.name)[index] for f in fields(self)))

    def value(self, name: str) -> Tensor:
        """One action, trait or nuisance as ``(N, 1, 1)``, to broadcast to pixels."""
        for names, table in (
            (ACTIONS, self.actions),
            (TRAITS, self.traits),
            (NUISANCES, self.nuisances),
        ):
            if name in names:
                return table[:, names.index(name), None, None]
        raise KeyError(name)

    def colour(self, name: str) -> Tensor:
        """One colour as ``(N, 3, 1, 1)``."""
        return self.colours[:, COLOURS.index(name), :, None, None]


def draw_parameters(
    num_faces: int, *, num_identities: int, seed: int
) -> FaceParameters:
    """Draw the parameters of ``num_faces`` faces of up to ``num_identities`` people.

    Face ``i`` depends only on ``(seed, num_identities, i)`` and an identity only on
    ``(seed, identity)``. Emotions occur equally often, and so do identities, up to
    the last incomplete round; the two are independent of each other.

    Args:
        num_faces: Number of faces, at least 0.
        num_identities: Number of people to draw, at least 1.
        seed: Any non-negative integer. Different seeds draw different people.

    Returns:
        Parameters of the faces, in a fixed order.

    Raises:
        ValueError: If a number is out of its range.
    """
    if num_faces < 0 or num_identities < 1 or seed < 0:
        raise ValueError(
            "drawn faces need num_faces >= 0, num_identities >= 1 and seed >= 0, got "
            f"{num_faces}, {num_identities} and {seed}"
        )
    labels = _in_rounds(num_faces, len(EMOTIONS), seed, _LABEL_ORDER)
    identities = _in_rounds(num_faces, num_identities, seed, _IDENTITY_ORDER)

    people, person = np.unique(identities, return_inverse=True)
    traits, person_colours = _draw_identities(
        _draws(people, _IDENTITY_DRAWS, seed, _IDENTITY)
    )
    unit = _Stream(_draws(np.arange(num_faces), _FACE_DRAWS, seed, _FACE))
    nuisances = scale_to(NUISANCE_RANGES, unit.take(len(NUISANCES)))
    actions = _actions(labels, unit.take(1), unit.take(len(ACTIONS)))
    backdrop = 0.1 + 0.55 * unit.take(1) + 0.3 * unit.take(3)
    backdrop_end = np.clip(backdrop + 0.4 * (unit.take(3) - 0.5), 0.05, 0.95)
    noise_keys = np.floor(unit.take(1)[:, 0] * 2**31).astype(np.int64)

    colours = np.concatenate(
        [person_colours[person], np.stack([backdrop, backdrop_end], 1)], 1
    )
    return FaceParameters(
        labels=torch.from_numpy(labels),
        identities=torch.from_numpy(identities),
        actions=_float(actions),
        traits=_float(traits[person]),
        nuisances=_float(nuisances),
        colours=_float(colours),
        noise_keys=torch.from_numpy(noise_keys),
    )


class _Stream:
    """Hands out successive columns of a table of uniform numbers."""

    def __init__(self, table: Array) -> None:
        self._table = table
        self._used = 0

    def take(self, count: int) -> Array:
        start, self._used = self._used, self._used + count
        return self._table[:, start : self._used]


def _actions(labels: np.ndarray, intensity: Array, noise: Array) -> Array:
    prototypes = np.array([PROTOTYPES[name] for name in EMOTIONS])[labels]
    strength = INTENSITY[0] + (INTENSITY[1] - INTENSITY[0]) * intensity
    low, high = np.array(list(ACTION_RANGES.values())).T
    jitter = ACTION_NOISE * (2 * noise - 1)
    return np.asarray(np.clip(prototypes * strength + jitter, low, high))


def _draw_identities(table: Array) -> tuple[Array, Array]:
    """Traits ``(P, len(TRAITS))`` and lasting colours ``(P, 6, 3)`` of P people."""
    unit = _Stream(table)

    def one() -> Array:
        return unit.take(1)[:, 0]

    def with_odds(odds: float, value: Callable[[], Array]) -> Array:
        return np.where(one() < odds, value(), 0.0)

    shape = scale_to(SHAPE_RANGES, unit.take(len(SHAPE_RANGES)))
    hair = hair_traits(one(), unit.take(7))
    beard = with_odds(0.2, lambda: 0.25 + 0.6 * one())
    freckles = with_odds(0.2, lambda: 0.35 + 0.4 * one())
    freckle_key = np.floor(one() * 2**20)
    glasses = with_odds(0.25, lambda: np.ones(len(table)))
    extras = np.stack(
        [beard, freckles, freckle_key, glasses, one(), 0.006 + 0.007 * one()], 1
    )

    skin = np.clip(palette(SKINS, one()) + 0.04 * (unit.take(3) - 0.5), 0, 1)
    hair_colour = palette(HAIRS, one())
    # Brows must stand out from the skin, whatever the colour of the hair.
    brow = 0.4 * np.minimum(hair_colour, 0.75 * skin) + 0.06 * skin
    redness = 0.25 + 0.5 * one()[:, None]
    # The added red keeps lips visible on dark skin and in a beard.
    lip = skin * (0.8 - 0.5 * redness * np.array([0.15, 0.75, 0.6]))
    lip = np.clip(lip + np.array([0.14, 0.03, 0.05]), 0, 1)
    iris = palette(IRISES, one())
    frame = palette(FRAMES, one())
    traits = np.concatenate([shape, hair, extras], 1)
    return traits, np.stack([skin, hair_colour, brow, lip, iris, frame], 1)


def _in_rounds(count: int, choices: int, seed: int, stream: int) -> np.ndarray:
    """``count`` choices; each round of ``choices`` has all of them, shuffled."""
    rounds = np.arange(-(-count // choices))
    order = np.argsort(_draws(rounds, choices, seed, stream), axis=1, kind="stable")
    return order.reshape(-1)[:count].astype(np.int64)


def _draws(indices: np.ndarray, count: int, seed: int, stream: int) -> Array:
    """Uniform numbers ``(len(indices), count)``; a row depends on its index only."""
    table = np.empty((len(indices), count))
    for row, index in enumerate(indices):
        key = np.random.SeedSequence(seed, spawn_key=(stream, int(index)))
        table[row] = np.random.Generator(np.random.PCG64(key)).random(count)
    return table


def _float(values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
