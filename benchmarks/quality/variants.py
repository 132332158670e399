"""What is compared: each variant is one recipe, said as settings of ``ContraWarp``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightly_contrawarp.models.presets import PRESETS
from lightly_contrawarp.models.settings import ModelSettings
from lightly_contrawarp.transforms.action_warp import ActionWarp
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
from lightly_contrawarp.transforms.local_warp import LocalWarp

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """One recipe of training.

    Attributes:
        name: Identifier, used in file names.
        says: What it is, in a few words.
        module: Settings of ``ContraWarp`` that differ from the defaults.
        warp: Arguments of its warp that differ from the defaults.
        landmarks: Whether warps sit on each image's own landmarks.
        supervised: Whether it learns from labels.
        trained: Whether it is trained at all.
        heads: Whether to judge several embedding heads of the encoder.
    """

    name: str
    says: str
    module: Settings = field(default_factory=dict)
    warp: Settings = field(default_factory=dict)
    landmarks: bool = False
    supervised: bool = False
    trained: bool = True
    heads: bool = False

    def transform(self, settings: ModelSettings) -> ContraWarpTransform:
        """Makes the views that a model with some settings wants."""
        kind = ActionWarp if settings.warp == "actions" else LocalWarp
        return ContraWarpTransform(
            settings.input_size,
            settings.num_negatives,
            settings.pairing,
            warp=kind(**self.warp),
        )


_SIMCLR: Settings = {"num_negatives": 0, "action_weight": 0.0}
_OWN = PRESETS["contrawarp"]
_STILL: Settings = {"strength": (0.0, 0.0)}

MAIN = (
    Variant("contrawarp", "action-shaped warps told apart (NT-Xent), and the action "
            "term", _OWN),
    Variant("byol-actions", "preset `byol`: BYOL's positives, of faces and of warps, "
            "and the action term", PRESETS["byol"]),
    Variant("simclr", "SimCLR: no warps", _SIMCLR),
    Variant("byol", "BYOL: no warps",
            {**_SIMCLR, "positive_weight": 1.0, "negative_weight": 0.0}),
    Variant("random", "random initialisation", _SIMCLR, trained=False),
    Variant("supervised", "trained with all labels, then frozen", _SIMCLR,
            supervised=True),
    Variant("byol-own-warps", "preset `byol-own-warps`: the same as `byol-actions`, "
            "and warps of one face told apart", PRESETS["byol-own-warps"]),
    Variant("two-views", "preset `two-views`: the action term alone, two views a face",
            PRESETS["two-views"]),
    Variant("paper", "preset `paper`: BYOL, one warp by random bumps as a negative",
            PRESETS["paper"]),
)  # fmt: skip
"""The comparison, over all seeds; what matters most comes first."""

CONTROLS = (
    Variant("identity", "`contrawarp` with warps that move nothing",
            {**_OWN, "action_weight": 0.0}, warp=_STILL),
    Variant("actions-alone", "the action term alone, paired views",
            {**_OWN, "negative_weight": 0.0}),
    Variant("no-action-term", "`contrawarp` without the action term",
            {**_OWN, "action_weight": 0.0}),
    Variant("bumps", "NT-Xent with random bumps for warps",
            {**_OWN, "action_weight": 0.0, "warp": "bumps"}),
)  # fmt: skip
"""What would show that a gain has another cause, over all seeds."""


def _changed(
    name: str,
    says: str,
    warp: Settings | None = None,
    landmarks: bool = False,
    **settings: Any,
) -> Variant:
    return Variant(name, says, {**_OWN, **settings}, warp or {}, landmarks)


ABLATION = (
    Variant("contrawarp", "as in the comparison", _OWN, heads=True),
    _changed("action-0.3", "weight of the action term .3", action_weight=0.3),
    _changed("action-3", "weight of the action term 3", action_weight=3.0),
    _changed("warps-2", "two warps a face", num_negatives=2),
    _changed("weak", "strength .1-.3", warp={"strength": (0.1, 0.3)}),
    _changed("strong", "strength .3-.6", warp={"strength": (0.3, 0.6)}),
    _changed("landmarks", "warps at each face's own landmarks", landmarks=True),
    _changed("temperature-0.2", "temperature .2", temperature=0.2),
    _changed("small_w32", "encoder `small_w32`", backbone="small_w32"),
    _changed("small_w64", "encoder `small_w64`", backbone="small_w64"),
)  # fmt: skip
"""One change at a time from the first of them."""
