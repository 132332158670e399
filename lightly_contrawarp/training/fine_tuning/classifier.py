"""A classifier that learns labels together with its encoder: model, images, outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float32, Int, Shaped
from lightly.utils.benchmarking import FinetuneClassifier
from numpy.typing import NDArray
from PIL import Image
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.models.embedding.spatial import evaluating
from lightly_contrawarp.models.preprocessing import to_batch

_Item = tuple[Image.Image, int]
_Batch = tuple[Float32[Tensor, "b 3 s s"], Int[Tensor, " b"]]
_Classifier = TypeVar("_Classifier", bound=LightningModule)


def build_classifier(
    backbone: nn.Module,
    input_size: int,
    *,
    num_classes: int,
    batch_size: int,
    lr: float,
    kind: type[_Classifier],
) -> _Classifier:
    """Lightly's classifier of an encoder's pooled output, which trains both.

    Args:
        backbone: The encoder, with weights that may be changed.
        input_size: Side of the images in pixels.
        num_classes: Number of classes.
        batch_size: Images a step.
        lr: Learning rate of SGD for a batch of 256; it is scaled with the batch.
        kind: Lightly's `FinetuneClassifier`, or one made of it.
    """
    device = next((p.device for p in backbone.parameters()), torch.device("cpu"))
    image = torch.zeros(1, 3, input_size, input_size, device=device)
    with torch.inference_mode(), evaluating(backbone):
        features: Tensor = backbone(image)
    classifier: _Classifier = kind(
        backbone,
        batch_size_per_device=batch_size,
        lr=lr,
        feature_dim=features.flatten(1).shape[1],
        num_classes=num_classes,
        topk=(1,),
    )
    return classifier


def build_loader(
    images: LabelledImages,
    rows: Shaped[NDArray[np.integer[Any]], " n"],
    labels: Shaped[NDArray[np.integer[Any]], " n"],
    *,
    input_size: int,
    workers: int,
    batch_size: int = 256,
    learning: bool = False,
) -> DataLoader[_Item]:
    """Loads batches of normalised images and their classes.

    Args:
        images: A labelled set.
        rows: Which of its images, all readable.
        labels: Their classes.
        input_size: Side of the images in pixels.
        workers: Processes that decode.
        batch_size: Images in a batch.
        learning: Whether to shuffle and to vary them, in full batches only.
    """
    return DataLoader(
        _Chosen(images, rows, labels, augmentation(input_size) if learning else None),
        batch_size=batch_size,
        shuffle=learning,
        drop_last=learning,  # one image alone would have no batch statistics
        num_workers=workers,
        collate_fn=partial(_collate, input_size=input_size),
        persistent_workers=workers > 0,
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


def predict_logits(
    classifier: FinetuneClassifier, loader: DataLoader[_Item]
) -> Shaped[NDArray[np.float32], "n classes"]:
    """Logits of the images of a loader, in its order."""
    batches: Iterable[Any] = loader
    with torch.inference_mode(), evaluating(classifier):
        return np.concatenate(
            [
                classifier(images.to(classifier.device)).cpu().numpy()
                for images, _ in batches
            ]
        )


class _Chosen(Dataset[_Item]):
    """Some images of a set, with their classes."""

    def __init__(
        self,
        images: LabelledImages,
        rows: Sequence[int] | NDArray[np.integer[Any]],
        labels: Sequence[int] | NDArray[np.integer[Any]],
        transform: Callable[[Image.Image], Image.Image] | None,
    ) -> None:
        self.images, self.rows, self.labels = images, rows, labels
        self.transform = transform

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> _Item:
        image: Image.Image = self.images[int(self.rows[index])][0]
        image = image if self.transform is None else self.transform(image)
        return image, int(self.labels[index])


def _collate(items: list[_Item], input_size: int) -> _Batch:
    images = to_batch([image for image, _ in items], input_size)
    return images, torch.tensor([label for _, label in items])
