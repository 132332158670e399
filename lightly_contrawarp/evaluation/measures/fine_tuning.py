"""Fine-tuning: the whole network learns the labels, from where pre-training left it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightly.utils.benchmarking import FinetuneClassifier
from pytorch_lightning import Trainer, seed_everything

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.settings import FineTuneSettings
from lightly_contrawarp.evaluation.splits import Split
from lightly_contrawarp.evaluation.statistics.scores import Scores, score
from lightly_contrawarp.evaluation.tables import SCORE_COLUMNS, Table, encoder_table
from lightly_contrawarp.models.finite import all_finite
from lightly_contrawarp.models.health import DivergedError
from lightly_contrawarp.training.fine_tuning.classifier import (
    build_classifier,
    build_loader,
    predict_logits,
)
from lightly_contrawarp.training.lightning import ProgressWithEta, fit, quiet_lightning
from lightly_contrawarp.training.resources import check_workers, explained_resources

_MEMORY_ADVICE = "leave out --finetune, or take a smaller model"


@dataclass(frozen=True)
class FineTuneResult:
    """The fine-tuned network after its last epoch.

    Attributes:
        settings: What it was trained with.
        scores: Scores on the test set.
    """

    settings: FineTuneSettings
    scores: Scores


def fine_tune(
    encoder: TorchEncoder,
    train: Split,
    test: Split,
    *,
    settings: FineTuneSettings,
    workers: int = 0,
) -> FineTuneResult:
    """Trains a copy of the encoder and a linear head on it, with Lightly's recipe.

    The test set is looked at once, after the last epoch.

    Args:
        encoder: Where to start; it is left as it is.
        train: Readable images to learn from.
        test: Readable images to be scored on.
        settings: How to train.
        workers: Processes that decode images.

    Raises:
        NotApplicableError: If there are fewer than two training images.
        DivergedError: If the network diverges.
    """
    if len(train.rows) < 2:
        raise NotApplicableError("fine-tuning needs at least two training images")
    check_workers(workers)
    seed_everything(settings.seed, workers=True, verbose=False)
    info = encoder.info
    num_classes = len(train.classes)
    batch_size = min(settings.batch_size, len(train.rows))
    classifier = build_classifier(
        encoder.trainable(),
        info.input_size,
        num_classes=num_classes,
        batch_size=batch_size,
        lr=settings.lr,
        kind=FinetuneClassifier,
    )
    options: dict[str, Any] = {"input_size": info.input_size, "workers": workers}
    with quiet_lightning(), explained_resources(_MEMORY_ADVICE):
        fit(
            _trainer(settings, info.device),
            classifier.train(),  # Lightning keeps the mode: batch norm has to learn too
            build_loader(
                *(train.images, train.rows, train.labels),
                batch_size=batch_size,
                learning=True,
                **options,
            ),
        )
    if not all_finite(classifier.state_dict().values()):
        raise DivergedError("fine-tuning has diverged; give a lower --finetune-lr")
    with explained_resources(_MEMORY_ADVICE):
        predicted = predict_logits(
            classifier.to(info.device),
            build_loader(*(test.images, test.rows, test.labels), **options),
        ).argmax(axis=1)
    return FineTuneResult(
        settings, score(test.labels, predicted, num_classes=num_classes)
    )


def table(results: Mapping[str, FineTuneResult]) -> Table:
    """Lays out results by the name of the encoder; all have the same settings."""
    epochs = next(iter(results.values())).settings.epochs
    return encoder_table(
        "Fine-tuning",
        f"The whole network, trained on the labels; after {epochs} epochs.",
        {name: result.scores for name, result in results.items()},
        SCORE_COLUMNS,
    )


def _trainer(settings: FineTuneSettings, device: str) -> Trainer:
    return Trainer(
        max_epochs=settings.epochs,
        accelerator="gpu" if device == "cuda" else device,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ProgressWithEta()],
    )
