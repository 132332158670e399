"""Settings: alone in range, together possible, and kept as plain values."""

from typing import Any

import pytest

from contrawarp_edge.core.errors import InputError
from helpers_training import BYOL, tiny
from lightly_contrawarp import Contrast, ContraWarp, ContraWarpLoss
from lightly_contrawarp.models.settings import ModelSettings


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
        ({"paired": False}, "unpaired warps need negatives_from 'face'"),
        ({"contrast": "target"}, "contrast 'target' needs negatives_from 'face'"),
        (
            {"contrast": "target", "num_negatives": 0},
            "contrast 'target' needs negatives_from 'face'",
        ),
        (
            {"paired": False, "positive_weight": 1, "negative_weight": 0},
            "unpaired warps need negatives_from 'face'",
        ),
        (
            {"contrast": "target", "positive_weight": 1, "negative_weight": 0},
            "contrast 'target' needs negatives_from 'face'",
        ),
        ({"negative_weight": 0}, "positive_weight or negative_weight has to be above"),
        ({"num_negatives": 0, "negatives_from": "face"}, "nothing is left to learn"),
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
        {"num_negatives": 0, "paired": False},
        {"num_negatives": 0, "contrast": "target", **BYOL},
        {"paired": False, "contrast": "target", **BYOL},
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
