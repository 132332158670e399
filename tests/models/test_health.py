"""Runs that diverge are stopped and not saved; those that collapse are told of."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor

from helpers_training import batched, loader, tiny, trainer
from lightly_contrawarp import ContraWarp
from lightly_contrawarp.loss.contrawarp_loss import LossTerms
from lightly_contrawarp.models.health import DivergedError, TrainingWatch


class OneBadBatch(ContraWarp):
    """Its fifth batch has no loss, as an overflow would have it."""

    seen = 0

    def terms(self, views: Any) -> tuple[Tensor, LossTerms]:
        features, terms = super().terms(views)
        self.seen += 1
        lost = float("nan") if self.seen == 5 else 1.0
        return features, terms._replace(loss=terms.loss * lost)


def bad(**settings: Any) -> ContraWarp:
    return tiny(OneBadBatch, batch_transform=batched(), **settings)


@pytest.mark.parametrize("weights_only", [False, True])
@pytest.mark.parametrize("every", [1, 50])
def test_the_last_good_checkpoint_is_kept(
    every: int, weights_only: bool, faces: Tensor, tmp_path: Path
) -> None:
    saving = ModelCheckpoint(
        tmp_path, "last", enable_version_counter=False, save_weights_only=weights_only
    )
    run = trainer(
        max_epochs=3, enable_checkpointing=True, callbacks=[saving],
        log_every_n_steps=every,
    )  # fmt: skip
    with pytest.raises(DivergedError, match="try a lower lr") as error:
        run.fit(bad(), loader(faces))
    # At once where metrics are read at every step, else before the epoch is saved.
    assert f"after {5 if every == 1 else 6} steps" in str(error.value)
    assert "\n" not in str(error.value)
    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert content["global_step"] == 3
    assert all(value.isfinite().all() for value in content["state_dict"].values())
    with pytest.raises(DivergedError):
        run.save_checkpoint(tmp_path / "other.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_short_run_that_saves_nothing_says_so(faces: Tensor) -> None:
    """It ends before loss and spread are ever read."""
    run = trainer(max_epochs=3, log_every_n_steps=50)
    with pytest.raises(DivergedError, match="after 9 steps"):
        run.fit(bad(), loader(faces))


def test_statistics_count_as_weights(faces: Tensor, tmp_path: Path) -> None:
    run, model = trainer(), tiny(batch_transform=batched())
    run.fit(model, loader(faces))
    model.backbone[1].running_mean[0] = float("inf")
    with pytest.raises(DivergedError):
        run.save_checkpoint(tmp_path / "a.ckpt")


def test_a_step_that_a_gradient_scaler_leaves_out_stops_nothing(
    faces: Tensor,
) -> None:
    model = bad()
    scaled = MixedPrecision("16-mixed", "cpu")  # Lightning's own choice has no scaler
    run = trainer(plugins=[scaled], log_every_n_steps=1, max_epochs=2)
    run.fit(model, loader(faces))
    assert run.global_step == 6
    assert all(value.isfinite().all() for value in model.state_dict().values())


class Scalar(torch.Tensor):
    reads = 0

    def __float__(self) -> float:
        Scalar.reads += 1
        return super().__float__()


def watched(**metrics: float) -> tuple[TrainingWatch, Any]:
    logged = {
        f"train/{name}": torch.tensor(value).as_subclass(Scalar)
        for name, value in metrics.items()
    }
    strategy = SimpleNamespace(reduce_boolean_decision=lambda this, all: this)
    return TrainingWatch(), SimpleNamespace(
        log_every_n_steps=10, callback_metrics=logged, strategy=strategy, global_step=7
    )


def follow(watch: TrainingWatch, run: Any, batches: int) -> None:
    module: Any = None
    for index in range(batches):
        watch.on_train_batch_end(run, module, None, None, index)


def test_the_device_is_waited_for_as_rarely_as_for_the_logs() -> None:
    watch, run = watched(loss=0.5, feature_spread=0.5)
    Scalar.reads = 0
    follow(watch, run, 200)
    assert Scalar.reads == 40


def test_nothing_is_waited_for_where_nothing_is_logged() -> None:
    watch, run = watched(loss=float("nan"), feature_spread=0.001)
    run.log_every_n_steps = 0
    Scalar.reads = 0
    follow(watch, run, 50)
    assert Scalar.reads == 0


def test_a_collapse_is_told_once() -> None:
    watch, run = watched(loss=0.5, feature_spread=0.001)
    with pytest.warns(UserWarning, match="the encoder has collapsed") as caught:
        follow(watch, run, 300)
    assert len(caught) == 1


def test_spread_features_and_short_dips_are_no_collapse() -> None:
    watch, run = watched(loss=0.5, feature_spread=0.001)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for spread, batches in ((0.001, 90), (0.3, 10), (0.001, 90), (0.3, 200)):
            run.callback_metrics["train/feature_spread"] = spread
            follow(watch, run, batches)


def test_an_encoder_that_takes_all_images_for_alike(faces: Tensor) -> None:
    model = tiny(batch_transform=batched(), lr=1e-9)
    with torch.no_grad():
        model.backbone[1].weight.zero_()
        model.backbone[1].bias.fill_(1.0)
    run = trainer(log_every_n_steps=1, max_epochs=4)
    with pytest.warns(UserWarning, match="features of all images are nearly the same"):
        run.fit(model, loader(faces))
