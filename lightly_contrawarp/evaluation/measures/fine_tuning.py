"""Fine-tuning: the whole network learns the labels, from where pre-training left it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int, Shaped
from lightly.utils.benchmarking import FinetuneClassifier
from PIL import Image
from pytorch_lightning import Trainer, seed_everything
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.evaluation.encoders.encoders import (
    EncoderInfo,
    TorchEncoder,
    to_batch,
)
from lightly_contrawarp.evaluation.settings import FineTuneSettings
from lightly_contrawarp.evaluation.splits import Split
from lightly_contrawarp.evaluation.statistics.arrays import Ints
from lightly_contrawarp.evaluation.statistics.scores import Scores, score
from lightly_contrawarp.evaluation.tables import SCORE_COLUMNS, Table, encoder_table
from lightly_contrawarp.models.finite import all_finite
from lightly_contrawarp.models.health import DivergedError
from lightly_contrawarp.training.lightning import ProgressWithEta, fit, quiet_lightning
from lightly_contrawarp.training.resources import check_workers, explained_resources

_Batch = tuple[Float32[Tensor, "b 3 s s"], Int[Tensor, " b"]]

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
    loader = partial(
        DataLoader,
        num_workers=workers,
        collate_fn=partial(_collate, input_size=info.input_size),
        persistent_workers=workers > 0,
    )
    module = encoder.trainable()
    classifier = FinetuneClassifier(
        module,
        batch_size_per_device=batch_size,
        lr=settings.lr,
        feature_dim=_feature_dim(module, info),
        num_classes=num_classes,
        topk=(1,),
    )
    with quiet_lightning(), explained_resources(_MEMORY_ADVICE):
        fit(
            _trainer(settings, info.device),
            classifier.train(),  # Lightning keeps the mode: batch norm has to learn too
            loader(
                _Chosen(train, transform=augmentation(info.input_size)),
                batch_size=batch_size,
                shuffle=True,
                drop_last=True,  # one image alone would have no batch statistics
            ),
        )
    if not all_finite(classifier.state_dict().values()):
        raise DivergedError("fine-tuning has diverged; give a lower --finetune-lr")
    with explained_resources(_MEMORY_ADVICE):
        predicted = _predict(
            classifier.to(info.device).eval(), loader(_Chosen(test), batch_size=256)
        )
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


def augmentation(input_size: int) -> v2.Transform:
    """Mild changes of a face that leave its expression alone.

    Args:
        input_size: Side of the square that comes out, in pixels.
    """
    return v2.Compose(
        [
            v2.RandomRotation(6, interpolation=v2.InterpolationMode.BILINEAR),
            v2.RandomResizedCrop(input_size, scale=(0.8, 1.0), ratio=(0.9, 1.1)),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(brightness=0.2, contrast=0.2),
        ]
    )


class _Chosen(Dataset[tuple[Image.Image, int]]):
    """The items of a split, with the classes of the training set."""

    def __init__(
        self,
        split: Split,
        transform: Callable[[Image.Image], Image.Image] | None = None,
    ) -> None:
        self.split = split
        self.transform = transform

    def __len__(self) -> int:
        return len(self.split.rows)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        image: Image.Image = self.split.images[int(self.split.rows[index])][0]
        image = image if self.transform is None else self.transform(image)
        return image, int(self.split.labels[index])


def _collate(items: list[tuple[Image.Image, int]], input_size: int) -> _Batch:
    images = to_batch([image for image, _ in items], input_size)
    return images, torch.tensor([label for _, label in items])


@torch.inference_mode()
def _feature_dim(module: nn.Module, info: EncoderInfo) -> int:
    image = torch.zeros(1, 3, info.input_size, info.input_size, device=info.device)
    output: Tensor = module.eval()(image)
    return output.flatten(1).shape[1]


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


@torch.inference_mode()
def _predict(
    classifier: FinetuneClassifier, loader: DataLoader[tuple[Image.Image, int]]
) -> Shaped[Ints, " t"]:
    batches: Iterable[Any] = loader
    return np.concatenate(
        [
            classifier(images.to(classifier.device)).argmax(dim=1).cpu().numpy()
            for images, _ in batches
        ]
    )
