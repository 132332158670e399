"""Presets: a step of each, with the views that belong to it, and the action term."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from contrawarp_edge.core.errors import InputError
from helpers_training import ACTION, SIZE, batched, loader, tiny, trainer
from lightly_contrawarp import ContraWarpTransform, LocalWarp
from lightly_contrawarp.models.health import to_log
from lightly_contrawarp.models.presets import PRESETS, preset
from lightly_contrawarp.models.settings import ModelSettings
from lightly_contrawarp.transforms.action_warp import ActionWarp
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform

TERMS = {
    "byol": {"positive", "cosine_positive", "action"},
    "byol-own-warps": {
        "positive", "cosine_positive", "negative", "cosine_negative", "top1", "action",
    },
    "two-views": {"action"},
    "paper": {"positive", "cosine_positive", "negative", "cosine_negative", "top1"},
}  # fmt: skip


def views_for(settings: ModelSettings) -> ContraWarpBatchTransform:
    warp = ActionWarp() if settings.warp == "actions" else LocalWarp()
    return ContraWarpBatchTransform(
        ContraWarpTransform(
            SIZE, settings.num_negatives, pairing=settings.pairing, warp=warp
        )
    )


@pytest.mark.parametrize("name", PRESETS)
def test_a_step_trains_what_is_there(name: str, faces: Tensor) -> None:
    """All of it: parameters without a gradient would stop distributed runs."""

    changes = PRESETS[name]
    settings = preset(name)
    model = tiny(batch_transform=views_for(settings), **changes)
    before = {key: value.clone() for key, value in model.named_parameters()}
    grads: dict[str, Tensor | None] = {}

    def look(optimizer: Any) -> None:
        grads.update({key: value.grad for key, value in model.named_parameters()})

    model.on_before_optimizer_step = look  # type: ignore[method-assign]
    run = trainer(max_steps=2, log_every_n_steps=1)
    run.fit(model, loader(faces))
    idle = [key for key, value in grads.items() if value is None]
    assert all(key.startswith("target.") for key in idle)
    if settings.predicts_actions:
        head = model.action_head.weight
        assert not torch.equal(head, before["action_head.weight"])
    else:
        assert model.action_head is None
    logged = {key.removeprefix("train/") for key in run.logged_metrics}
    terms = {key for key in logged if "/" not in key} - {"loss", "feature_spread"}
    if name in TERMS:
        assert terms == TERMS[name]
    actions = ActionWarp().names if settings.predicts_actions else ()
    assert {key for key in logged if "r2/" in key} == {f"r2/{one}" for one in actions}
    assert all(math.isfinite(value) for value in run.logged_metrics.values())


def test_changes_win_over_the_preset() -> None:
    settings = preset("byol", negative_weight=0.5, lr=1e-3)
    assert (settings.positive_weight, settings.negative_weight) == (1.0, 0.5)
    assert preset("contrawarp") == ModelSettings()
    with pytest.raises(InputError, match="preset must be one of contrawarp, byol"):
        preset("simclr")
    with pytest.raises(InputError, match="has no actions to predict"):
        preset("paper", action_weight=1.0)


def test_what_is_not_used_is_not_built() -> None:
    """By the kind of module that each preset has."""
    built = {
        name: {key for key, module in tiny(**PRESETS[name]).named_children()}
        - {"backbone", "criterion"}
        for name in TERMS
    }
    heads = {"projection_head", "prediction_head", "target"}
    assert built == {
        "byol": heads | {"action_head"},
        "byol-own-warps": heads | {"action_head"},
        "two-views": {"action_head"},
        "paper": heads,
    }


@pytest.mark.parametrize("pairing", ["paired", "unpaired", "single"])
def test_the_action_term_is_that_of_views_passed_one_by_one(
    pairing: str, faces: Tensor
) -> None:
    model = tiny(num_negatives=2, pairing=pairing, **ACTION).eval()
    torch.nn.init.normal_(model.action_head.weight)
    *views, actions = batched(2, pairing)(faces[:5])
    _, terms = model.terms([*views, actions])
    f = [model(view) for view in views]
    differences = [
        f[warped] - f[unwarped]
        for warped, unwarped in {
            "paired": [(3, 0), (5, 0), (2, 1), (4, 1)],
            "unpaired": [(2, 0), (3, 0), (2, 1), (3, 1)],
            "single": [(1, 0), (2, 0)],
        }[pairing]
    ]
    predicted = torch.stack(differences) @ model.action_head.weight.T
    wanted = actions.transpose(0, 1).repeat(len(differences) // 2, 1, 1)
    expected = (predicted - wanted).square().mean() / wanted.square().mean()
    torch.testing.assert_close(terms.loss, expected, atol=1e-5, rtol=1e-4)


def test_of_an_action_that_nobody_drew_the_last_is_logged(faces: Tensor) -> None:
    model = tiny(**ACTION)
    views = batched()(faces[:4])
    torch.nn.init.normal_(model.action_head.weight)
    first, known = to_log(model.terms(views)[1], model.r2, model.actions)
    views[-1][..., 0] = 0
    name, *others = (f"r2/{one}" for one in ActionWarp().names)
    second, _ = to_log(model.terms(views)[1], known, model.actions)
    assert second[name] == first[name]
    assert all(second[other].isfinite() for other in others)


def test_views_without_the_actions_that_are_wanted(faces: Tensor) -> None:
    views = batched()(faces[:4])
    with pytest.raises(
        ValueError, match=r"expected 4 views and actions for .* got 4 views;"
    ):
        tiny().terms(views[:-1])
    plain = tiny(action_weight=0.0)  # does not mind them
    assert plain.terms(views)[1].action is None
