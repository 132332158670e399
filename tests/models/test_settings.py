"""Settings: alone in range, together possible, and kept as plain values."""

from typing import Any

import pytest

from contrawarp_edge.core.errors import InputError
from helpers_training import ACTION, BYOL, NT_XENT, tiny
from lightly_contrawarp import Contrast, ContraWarp, ContraWarpLoss
from lightly_contrawarp.models.settings import ModelSettings

NONE = {"positive_weight": 0, "negative_weight": 0, "action_weight": 0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", 0.0),
        ("lr", float("nan")),
        ("momentum", 1.1),
        ("warmup_fraction", float("nan")),
        ("num_negatives", -1),
        ("weight_decay", -1.0),
        ("input_size", 0),
        ("projection_dim", 0),
        ("temperature", 1e-9),
        ("negative_weight", float("inf")),
    ],
)
def test_a_number_out_of_range(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"^{name} must be .*got {value}$"):
        tiny(**{name: value})


def test_a_word_that_is_none_of_its_own() -> None:
    with pytest.raises(InputError, match="contrast must be 'online' or 'target', got"):
        tiny(contrast="symmetric")
    with pytest.raises(TypeError, match="learning_rate"):
        tiny(learning_rate=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"pairing": "unpaired", **NT_XENT},
            "pairing 'unpaired' needs negatives_from 'face'",
        ),
        ({"contrast": "target"}, "contrast 'target' needs negatives_from 'face'"),
        (
            {"contrast": "target", "num_negatives": 0},
            "contrast 'target' needs negatives_from 'face'",
        ),
        (
            {"contrast": "target", "positive_weight": 1, "negative_weight": 0},
            "contrast 'target' needs negatives_from 'face'",
        ),
        ({**NONE}, "negative_weight or action_weight has to be above 0"),
        (
            {"num_negatives": 0, "negatives_from": "face", **NT_XENT},
            "nothing is left to learn",
        ),
        ({**ACTION, "num_negatives": 0}, "nothing is left to learn"),
        ({"warp": "bumps", **ACTION}, "no actions to predict: set action_weight to 0"),
        ({"pairing": "single", "num_negatives": 0}, "needs num_negatives of 1 or more"),
        (
            {"pairing": "single", "num_negatives": 2, **NT_XENT},
            "two views only: set num_negatives",
        ),
        (
            {"pairing": "single", **NT_XENT, "negatives_from": "face"},
            "no two warps of a face to tell apart: set negatives_from to 'batch'",
        ),
    ],
)
def test_settings_that_exclude_each_other(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tiny(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_negatives": 0},
        {"num_negatives": 0, "pairing": "unpaired"},
        {"pairing": "unpaired", "positive_weight": 1.0, "negative_weight": 0.0},
        {"num_negatives": 0, "contrast": "target", **BYOL},
        {"pairing": "unpaired", "contrast": "target", **BYOL},
        {"pairing": "single"},
        {"pairing": "single", "num_negatives": 5, **ACTION},
        {"warp": "bumps", "action_weight": 0.0},
        {"warp": "bumps", "action_weight": 0.0, "num_negatives": 0},
        {"positive_weight": 1.0, "negative_weight": 0.0},
    ],
)
def test_settings_that_go_together(settings: dict[str, Any]) -> None:
    model = tiny(**settings)
    assert {name: model.hparams[name] for name in settings} == settings


def test_settings_are_passed_on_whole() -> None:
    settings = ModelSettings(backbone="small", contrast=Contrast.TARGET, **BYOL)
    model = ContraWarp(settings=settings, temperature=0.3)
    assert (model.info.name, model.settings.positive_weight) == ("small", 1.0)
    assert model.criterion.settings.temperature == model.hparams["temperature"] == 0.3
    assert type(model.settings.contrast) is str
    assert ContraWarp("small").settings == ModelSettings(backbone="small")
    assert ContraWarpLoss(settings).settings == settings


def test_a_subclass_keeps_what_it_takes_besides() -> None:
    class Own(ContraWarp):
        def __init__(self, mood: str = "good", **settings: Any) -> None:
            super().__init__("small", **settings)

    hparams = Own("bad", lr=0.1).hparams
    assert (hparams["mood"], hparams["lr"], hparams["backbone"]) == (
        "bad",
        0.1,
        "small",
    )
