"""How large the benchmark is."""

from __future__ import annotations

from typing import NamedTuple


class Encoder(NamedTuple):
    """What is trained, exported and quantised.

    Attributes:
        backbone: Its name, see `build_backbone`.
        input_size: Side of its input in pixels.
    """

    backbone: str
    input_size: int


class Scale(NamedTuple):
    """Sizes of everything.

    Attributes:
        name: Identifier.
        encoders: What is measured.
        images: Images to train on, drawn from all.
        batch_size: Images of a step.
        epochs: Passes over them.
        probe_images: Labelled images that the linear probe learns from.
        seconds: How long the rounds of a race go on.
        rounds: Fewest rounds of a race.
    """

    name: str
    encoders: tuple[Encoder, ...]
    images: int
    batch_size: int
    epochs: int
    probe_images: int
    seconds: float
    rounds: int


_SMALL = Encoder("small", 48)

FULL = Scale(
    "full",
    (
        _SMALL,
        Encoder("resnet18", 48),
        Encoder("mobilenet_v3_small", 64),
        Encoder("mobilenet_v3_large", 64),
    ),
    images=4000,
    batch_size=32,
    epochs=2,
    probe_images=4000,
    seconds=5,
    rounds=15,
)
SMOKE = Scale("smoke", (_SMALL,), 64, 32, 1, 100, 0.0, 3)
"""Shows that everything runs, and says nothing else."""
