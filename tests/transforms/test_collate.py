"""Views of whole batches, made where they are loaded."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightly.data import LightlyDataset
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp import ContraWarpCollate, ContraWarpTransform
from lightly_contrawarp.transforms.batch_items import FaceItem, FramePair
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform

SIZE = 24


def picture(seed: int, width: int = 32, height: int = 32) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def pixels_of(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.fixture
def transform() -> ContraWarpTransform:
    return ContraWarpTransform(SIZE, num_negatives=2)


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_views_are_those_of_the_batch_transform(transform: ContraWarpTransform) -> None:
    images = [picture(seed) for seed in range(3)]
    torch.manual_seed(1)
    expected = ContraWarpBatchTransform(transform)(
        torch.stack([pixels_of(image) for image in images])
    )
    collate = ContraWarpCollate(transform)
    for items in (images, [(image, 7, "a.jpg") for image in images]):
        torch.manual_seed(1)
        views, *others = collate(items)
        assert same(views, expected)
    numbers, names = others
    assert numbers.tolist() == [7, 7, 7]
    assert names == ["a.jpg"] * 3


def test_images_of_several_sizes_and_kinds(transform: ContraWarpTransform) -> None:
    grey = picture(0).convert("L")
    tall = torch.rand(1, 50, 20).mul(255).byte()
    (views,) = ContraWarpCollate(transform)([picture(1, 40, 30), grey, tall])
    assert [tuple(view.shape) for view in views] == [(3, 3, SIZE, SIZE)] * 6 + [
        (3, 2, 10)
    ]
    with pytest.raises(InputError, match=r"a tensor image must be \[1 or 3, H, W\]"):
        ContraWarpCollate(transform)([torch.zeros(4, 8, 8)])


def test_landmarks_and_neighbours_are_used(transform: ContraWarpTransform) -> None:
    points = torch.rand(8, 2)
    image, other = pixels_of(picture(0)), pixels_of(picture(1))
    batched = ContraWarpBatchTransform(transform)
    for item, given in (
        (FaceItem(image, 5, points), (points[None].expand(2, -1, -1),)),
        (
            FramePair(image, 5, torch.stack([points, points]), other),
            (points.expand(2, 2, -1, -1), torch.stack([other, other])),
        ),
    ):
        torch.manual_seed(2)
        views, positions = ContraWarpCollate(transform)([item, item])
        torch.manual_seed(2)
        assert same(views, batched(torch.stack([image, image]), *given))
        assert positions.tolist() == [5, 5]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_seed_decides_the_views_of_every_epoch(
    workers: int, tmp_path: Path, transform: ContraWarpTransform
) -> None:
    for seed in range(6):
        picture(seed).save(tmp_path / f"{seed}.png")

    def epochs() -> list[list[Tensor]]:
        torch.manual_seed(3)
        loader: DataLoader[tuple[list[Tensor], Tensor, list[str]]] = DataLoader(
            LightlyDataset(str(tmp_path)),
            batch_size=2,
            num_workers=workers,
            collate_fn=ContraWarpCollate(transform),
        )
        return [batch[0] for _ in range(2) for batch in loader]

    first, again = epochs(), epochs()
    assert len(first) == 6
    assert all(same(one, other) for one, other in zip(first, again, strict=True))
    shown = torch.stack([views[0] for views in first]).flatten(1)
    assert len(shown.unique(dim=0)) == 6  # no batch, worker or epoch repeats another
