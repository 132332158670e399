"""Which settings of ``ContraWarp`` make sense, alone and together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.ranges import check_range
from lightly_contrawarp.loss.contrawarp_loss import Contrast, NegativesFrom

_RANGES = {
    "num_negatives": (0, math.inf),
    "input_size": (1, math.inf),
    "projection_hidden_dim": (1, math.inf),
    "projection_dim": (1, math.inf),
    "weight_decay": (0, math.inf),
    "warmup_fraction": (0, 1),
    "momentum": (0, 1),
}


def check_hyperparameters(settings: Mapping[str, Any]) -> None:
    """Checks settings by the names of ``ContraWarp``'s arguments.

    Those of the loss are checked by the loss.

    Raises:
        InputError: If one is outside of its range, or some exclude each other.
    """
    for name, (low, high) in _RANGES.items():
        check_range(name, settings[name], low, high)
    check_range("lr", settings["lr"], 0, low_open=True)
    from_batch = settings["negatives_from"] == NegativesFrom.BATCH
    if not (settings["num_negatives"] or settings["positive_weight"] or from_batch):
        raise InputError(
            "nothing is left to learn: without negatives, positive_weight has to be "
            "above 0, or negatives_from 'batch'"
        )
    if not settings["negative_weight"] or not from_batch:
        return
    paired = settings["paired"] or not settings["num_negatives"]
    if not paired or settings["contrast"] != Contrast.ONLINE:
        raise InputError(
            "negatives_from='batch' needs paired=True and contrast='online'"
        )
