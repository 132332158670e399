from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.folders import FaceFolder
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.encoders.features import extract_features
from lightly_contrawarp.models.preprocessing import preprocess


def _pixels(height: int, width: int) -> np.ndarray:
    """Smooth shades with noise on top."""
    rng = np.random.default_rng(height * width)
    ramp = np.linspace(0, 200, width)[None, :, None]
    noise = rng.uniform(0, 55, (height, width, 3))
    return (ramp + noise).astype(np.uint8)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for name, shape in (("sad", (9, 12)), ("happy", (20, 20)), ("fear", (48, 48))):
        (tmp_path / name).mkdir()
        for index in range(3):
            Image.fromarray(_pixels(*shape)).save(tmp_path / name / f"{index}.png")
    return tmp_path


@pytest.mark.parametrize("shape", [(48, 48), (200, 150), (20, 31)])
@pytest.mark.parametrize("size", [32, 112])
def test_preprocess__is_pillows_antialiased_resize(
    shape: tuple[int, int], size: int
) -> None:
    pixels = _pixels(*shape)
    expected = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)
    result = preprocess(torch.from_numpy(pixels).permute(2, 0, 1)[None], size)[0]
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    unit = result.permute(1, 2, 0) * std + mean
    assert result.dtype == torch.float32
    assert np.abs(unit.numpy() - np.asarray(expected) / 255).max() < 1.5 / 255


def test_preprocess__takes_float_images() -> None:
    images = torch.randint(0, 256, (2, 3, 10, 8), dtype=torch.uint8)
    torch.testing.assert_close(preprocess(images, 6), preprocess(images.float(), 6))


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_extract_features__images_of_any_size(faces: Path, workers: int) -> None:
    dataset = LabelledFolder(faces)
    done: list[int] = []
    features = extract_features(
        TorchEncoder(nn.AdaptiveAvgPool2d(1), 16),  # its (N, 3, 1, 1) is flattened
        dataset,
        batch_size=4,
        workers=workers,
        on_progress=done.append,
    )
    for row, (image, _) in enumerate(dataset):
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        expected = preprocess(pixels, 16).mean(dim=(0, 2, 3))
        np.testing.assert_allclose(features.values[row], expected, rtol=1e-5)
    assert features.rows.tolist() == list(range(9))
    assert (features.values.dtype, features.rows.dtype) == (np.float32, np.int64)
    assert features.unreadable == []
    assert done == [4, 8, 9]


def test_extract_features__takes_unlabelled_images(
    faces: Path, encoder: TorchEncoder
) -> None:
    paths = LabelledFolder(faces).names
    features = extract_features(encoder, FaceFolder([Path(path) for path in paths]))
    assert features.rows.tolist() == list(range(9))


def test_extract_features__leaves_out_unreadable_images(
    faces: Path, encoder: TorchEncoder
) -> None:
    dataset = LabelledFolder(faces)
    Path(dataset.names[1]).write_bytes(b"no image")
    features = extract_features(encoder, dataset, batch_size=1)
    assert features.rows.tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    assert len(features.values) == 8
    assert len(features.unreadable) == 1
    assert dataset.names[1] in features.unreadable[0]
    for name in dataset.names:
        Path(name).write_bytes(b"no image")
    with pytest.raises(InputError, match=r"no readable image.*happy/0\.png"):
        extract_features(encoder, dataset)


def test_extract_features__refuses_nan(faces: Path) -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean(dim=(2, 3)) * torch.nan

    with pytest.raises(InputError, match="module: returns NaN"):
        extract_features(TorchEncoder(Broken(), 8), LabelledFolder(faces))
