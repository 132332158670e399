from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from contrawarp_edge.core.errors import InputError
from helpers import MakeSet
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.measures.fine_tuning import fine_tune
from lightly_contrawarp.evaluation.settings import FineTuneSettings
from lightly_contrawarp.evaluation.splits import Split, common_space
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.training.fine_tuning.classifier import augmentation


@pytest.fixture
def splits(make_set: MakeSet) -> tuple[Split, Split]:
    """The second image of each set cannot be read, and is not to be."""
    sets = make_set("train", 12), make_set("test", 4, classes=("angry", "sad"))
    train, test = common_space(*sets)
    for split in (train, test):
        Path(split.images.names[1]).write_bytes(b"no image")
    return tuple(  # type: ignore[return-value]
        split.take(np.delete(np.arange(len(split.rows)), 1)) for split in (train, test)
    )


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )


def test_fine_tune__learns_and_leaves_the_encoder_alone(
    splits: tuple[Split, Split],
) -> None:
    encoder = TorchEncoder(_network(), 8)
    before = encoder.info.fingerprint
    # 35 images in batches of 17: without drop_last, one would be left for the last.
    settings = FineTuneSettings(epochs=12, lr=1.0, batch_size=17)
    result = fine_tune(encoder, *splits, settings=settings)
    assert result.scores.accuracy == 1
    assert np.sum(result.scores.confusion, axis=1).tolist() == [0, 3, 4]
    assert result.settings == settings
    assert encoder.info.fingerprint == before
    assert fine_tune(encoder, *splits, settings=settings) == result


def test_fine_tune__trains_batch_norm_of_a_frozen_encoder(
    splits: tuple[Split, Split],
) -> None:
    norm = nn.BatchNorm2d(3, momentum=0.5)
    assert norm.running_var is not None
    norm.running_var.fill_(1e8)  # hides everything until statistics are renewed
    module = nn.Sequential(norm, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    settings = FineTuneSettings(epochs=20, lr=1.0, batch_size=17)
    result = fine_tune(TorchEncoder(module, 8), *splits, settings=settings)
    assert result.scores.accuracy == 1
    assert not norm.training
    assert norm.running_var[0] == 1e8


def test_fine_tune__moves_the_whole_network(splits: tuple[Split, Split]) -> None:
    class Silent(nn.Module):
        """Gives zeros until its weight is trained."""

        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Conv2d(3, 6, 1)
            nn.init.zeros_(self.mix.weight)
            nn.init.zeros_(self.mix.bias)  # type: ignore[arg-type]

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.mix(images).mean(dim=(2, 3))
            return output

    settings = FineTuneSettings(epochs=20, lr=2.0, batch_size=16)
    result = fine_tune(TorchEncoder(Silent(), 8), *splits, settings=settings)
    assert result.scores.accuracy == 1


def test_fine_tune__of_a_backbone(splits: tuple[Split, Split]) -> None:
    module, _ = build_backbone("small")
    settings = FineTuneSettings(epochs=1, batch_size=500)
    result = fine_tune(TorchEncoder(module, 16), *splits, settings=settings)
    assert np.sum(result.scores.confusion) == 7


def test_fine_tune__needs_two_images(splits: tuple[Split, Split]) -> None:
    train = splits[0].take(np.array([0]))
    with pytest.raises(InputError, match="two training images"):
        fine_tune(
            TorchEncoder(_network(), 8), train, splits[1], settings=FineTuneSettings()
        )


def test_augmentation__is_mild_and_follows_the_seed(
    pil_faces: list[Image.Image],
) -> None:
    change = augmentation(64)
    for face in pil_faces[:8]:
        torch.manual_seed(3)
        first, other = change(face), change(face)
        torch.manual_seed(3)
        again = change(face)
        assert first.size == (64, 64)
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
