"""What is compared: each variant is one recipe, said as changes to the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """One recipe of training.

    Attributes:
        name: Identifier, used in file names.
        says: What it is, in a few words.
        learner: Key of ``learners.LEARNERS``.
        module: Changes to the arguments of ``ContraWarp``.
        transform: Changes to those of ``ContraWarpTransform``.
        view: Changes to those of ``ContraWarpViewTransform``.
        warp: Changes to those of ``LocalWarp``.
        longer: Factor on the number of epochs.
        landmarks: Whether warps sit on each image's own landmarks.
        neighbours: Largest distance in seconds of the frame that the second view of
            each pair shows; 0 for the same frame.
    """

    name: str
    says: str
    learner: str = "contrawarp"
    module: Changes = field(default_factory=dict)
    transform: Changes = field(default_factory=dict)
    view: Changes = field(default_factory=dict)
    warp: Changes = field(default_factory=dict)
    longer: int = 1
    landmarks: bool = False
    neighbours: float = 0.0


_BYOL: Changes = {"num_negatives": 0, "positive_weight": 1.0, "negatives_from": "face"}
_FACE: Changes = {"negatives_from": "face"}
# The contrast is small beside BYOL's term unless it is weighed up.
_WITH_BYOL: Changes = {"positive_weight": 1.0, "negative_weight": 5.0}
_UNPAIRED: Changes = {**_FACE, **_WITH_BYOL, "pairing": "unpaired"}
_STILL: Changes = {"strength": (0.0, 0.0)}

BASE = Variant("contrawarp", "the defaults: paired warps, negatives from the batch")
_UNPAIRED_TARGET = Variant(
    "unpaired-target",
    "clean positives, one warped negative, seen by the target network",
    module={**_UNPAIRED, "contrast": "target"},
)

MAIN = (
    Variant("random", "random initialisation", "random"),
    Variant("supervised", "trained with labels, then frozen", "supervised"),
    Variant("byol", "BYOL", module=_BYOL),
    Variant("byol-longer", "BYOL, twice the epochs", module=_BYOL, longer=2),
    Variant("simclr", "SimCLR", module={"num_negatives": 0}),
    Variant(
        "simclr-longer", "SimCLR, twice the epochs", module={"num_negatives": 0},
        longer=2,
    ),
    Variant("byol-warp-positive", "BYOL, the warp as one more positive",
            "warp_as_positive", module={**_UNPAIRED, "contrast": "target"}),
    Variant("simclr-warp-positive", "SimCLR, views warped at random", "warped_views",
            module={"num_negatives": 0}),
    BASE,
    Variant("contrawarp-k3", "the same, three warps a face",
            module={"num_negatives": 3}),
    Variant("own-warps", "paired warps, negatives from the same face only",
            module=_FACE),
    Variant("own-warps-k3", "the same, three warps a face",
            module={**_FACE, "num_negatives": 3}),
    _UNPAIRED_TARGET,
)  # fmt: skip
"""The comparison, over all seeds."""

CONTROLS = (
    Variant("identity", "negatives are the same face, resampled but not warped",
            warp=_STILL),
    Variant("identity-k3", "the same, three of them",
            module={"num_negatives": 3}, warp=_STILL),
    Variant("identity-unpaired", "the same for unpaired-target",
            module={**_UNPAIRED, "contrast": "target"}, warp=_STILL),
    Variant("negatives-alone", "unpaired-target, negatives in a target batch of their "
            "own", "negatives_alone", module=_UNPAIRED_TARGET.module),
    Variant("warp-before", "the warp applied before the view: resampled once more",
            "warp_before"),
)  # fmt: skip
"""What would show that a gain has another cause, over all seeds."""


def _changed(name: str, says: str, **changes: Any) -> Variant:
    return replace(BASE, name=name, says=says, **changes)


ABLATION = (
    BASE,
    _changed("longer", "twice the epochs: as much computing as k3", longer=2),
    _changed("k3", "three warps a face", module={"num_negatives": 3}),
    _changed("temperature-0.05", "temperature .05", module={"temperature": 0.05}),
    _changed("temperature-0.2", "temperature .2", module={"temperature": 0.2}),
    _changed("with-byol", "with BYOL's positive term", module=_WITH_BYOL),
    _changed("own-warps", "negatives from the same face only", module=_FACE),
    _changed("own-warps-k3", "the same, three warps",
             module={**_FACE, "num_negatives": 3}),
    _changed("own-warps-hinge", "the same, hinge", learner="hinge", module=_FACE),
    _changed("own-warps-byol", "the same, with BYOL's positive term",
             module={**_FACE, **_WITH_BYOL}),
    _changed("own-warps-target", "the same, with target projections",
             module={**_FACE, **_WITH_BYOL, "contrast": "target"}),
    _changed("unpaired-symmetric",
             "clean positives, one warped negative, through both networks",
             learner="symmetric", module={**_UNPAIRED, "contrast": "target"}),
    _changed("weak", "strength .1-.3", warp={"strength": (0.1, 0.3)}),
    _changed("strong", "strength .4-.6", warp={"strength": (0.4, 0.6)}),
    _changed("curriculum", "strength falling over the run", learner="curriculum"),
    _changed("mined", "the hardest of four warps", learner="mined"),
    _changed("one-bump", "one bump", warp={"num_bumps": 1}),
    _changed("four-bumps", "four bumps", warp={"num_bumps": 4}),
    _changed("box", "centres anywhere in the face box", warp={"around": "box"}),
    _changed("landmarks", "centres at each image's own landmarks", landmarks=True),
    _changed("jitter-0.3", "centres farther from the points", warp={"jitter": 0.3}),
    _changed("flips-apart", "flips drawn for each view",
             transform={"share_flip": False}),
    _changed("crops-0.25", "crops from .25", view={"min_scale": 0.25}),
    _changed("crops-0.8", "crops from .8", view={"min_scale": 0.8}),
    _changed("crops-1", "no crops", view={"min_scale": 1.0}),
    _changed("no-rotation", "no rotation", view={"rr_prob": 0.0}),
    _changed("no-blur", "no blur", view={"gaussian_blur": 0.0}),
    _changed("weak-color", "half the brightness and contrast jitter",
             view={"cj_strength": 0.5}),
)  # fmt: skip
"""One change at a time from the defaults."""

DRAWN = (
    *(variant for variant in MAIN
      if variant.name in ("random", "byol", "simclr", "contrawarp", "own-warps-k3")),
    _changed("landmarks", "centres at each image's own landmarks", landmarks=True),
    _changed("box", "centres anywhere in the face box", warp={"around": "box"}),
)  # fmt: skip
"""What is compared on drawn faces, over all seeds."""

_GUIDED = _changed("contrawarp", "the defaults, own landmarks", landmarks=True)
_TRACK_BYOL = Variant("byol", "BYOL", module=_BYOL)

TRACKS = tuple(
    replace(
        variant,
        name=f"{variant.name}{f'-{seconds:g}s' if seconds else ''}",
        says=variant.says + (f", neighbours within {seconds:g} s" if seconds else ""),
        neighbours=seconds,
    )
    for variant in (_TRACK_BYOL, _GUIDED)
    for seconds in (0.0, 0.25, 2.0)
)
"""Drawn videos: second views from the same frame, a near one, or any of the track."""
