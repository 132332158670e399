"""Fitting a head to an encoder, and keeping it in Lightning's checkpoints."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import pil_to_tensor

from contrawarp_edge.core.errors import InputError
from helpers_training import SIZE, batched, loader, tiny, trainer
from lightly_contrawarp import ContraWarp, load_backbone, load_embedding
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.checkpoint import HEAD_KEY
from lightly_contrawarp.models.embedding import fitting
from lightly_contrawarp.models.embedding.fitting import fit_embedding_head
from lightly_contrawarp.models.embedding.head import Moved
from lightly_contrawarp.models.embedding.network import EmbeddingNetwork
from lightly_contrawarp.models.embedding.spatial import SpatialFeatures
from lightly_contrawarp.models.preprocessing import preprocess
from lightly_contrawarp.transforms.batch_items import FaceItem


@pytest.fixture
def fitted(faces: Tensor, tmp_path: Path) -> tuple[ContraWarp, Path]:
    """As a user of Lightly does it."""
    model = tiny(batch_transform=batched(), embedding_dim=6)
    run = trainer()
    run.fit(model, loader(faces))
    model.fit_embedding_head(loader(faces))
    run.save_checkpoint(tmp_path / "last.ckpt")
    return model, tmp_path / "last.ckpt"


def test_a_checkpoint_gives_the_embedding(
    fitted: tuple[ContraWarp, Path], faces: Tensor
) -> None:
    model, path = fitted
    content = torch.load(path, weights_only=True)
    assert content["state_dict"].keys() == model.state_dict().keys()
    own = tiny().backbone
    network, info = load_embedding(path, own)
    assert isinstance(network, EmbeddingNetwork)
    assert not network.training
    assert info.dim == network.head.dim == 6
    pixels = preprocess(faces, SIZE)
    with torch.inference_mode():
        features = SpatialFeatures(own, SIZE)(pixels).flatten(1).numpy()
        actual = network(pixels).numpy()
    # Principal axes by NumPy.
    centred = features - features.mean(0)
    _, lengths, axes = np.linalg.svd(centred.astype(np.float64))
    half_whitened = np.abs(centred @ axes[:6].T) / np.sqrt(lengths[:6])
    np.testing.assert_allclose(
        np.abs(actual) / np.linalg.norm(actual),
        half_whitened / np.linalg.norm(half_whitened),
        rtol=1e-2,
        atol=1e-3,
    )
    backbone, info = load_backbone(path, tiny().backbone)
    assert info.dim == 32
    assert backbone.state_dict().keys() == model.backbone.state_dict().keys()


def test_a_head_outlasts_loading_and_is_dropped_by_training(
    fitted: tuple[ContraWarp, Path], faces: Tensor, tmp_path: Path
) -> None:
    _, path = fitted
    again = tiny(batch_transform=batched())
    content = torch.load(path, weights_only=True)
    again.load_state_dict(content["state_dict"])
    again.on_load_checkpoint(content)
    saved = {"state_dict": again.state_dict()}
    again.on_save_checkpoint(saved)
    assert saved[HEAD_KEY].keys() == content[HEAD_KEY].keys()
    run = trainer(max_epochs=2)
    run.fit(again, loader(faces), ckpt_path=path, weights_only=True)
    run.save_checkpoint(tmp_path / "more.ckpt")
    assert HEAD_KEY not in torch.load(tmp_path / "more.ckpt", weights_only=True)
    backbone, info = load_embedding(tmp_path / "more.ckpt", tiny().backbone)
    assert not isinstance(backbone, EmbeddingNetwork)
    assert info.dim == 32


def test_a_head_that_does_not_fit_is_refused_in_a_line(
    fitted: tuple[ContraWarp, Path],
) -> None:
    _, path = fitted
    content = torch.load(path, weights_only=True)
    head = content[HEAD_KEY]
    wrong = {**head, "mean": head["mean"][1:], "components": head["components"][:, 1:]}
    for entry, message in (
        (wrong, "its embedding head takes 31 features, and the encoder gives 32; "),
        ({}, "its embedding head is damaged; "),
        (None, "its embedding head is damaged; "),
    ):
        torch.save({**content, HEAD_KEY: entry}, path)
        with pytest.raises(InputError, match=rf"last\.ckpt: {message}use its pooled"):
            load_embedding(path, tiny().backbone)
        load_backbone(path, tiny().backbone)


def test_takes_bytes_fractions_and_tuples(
    faces: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = tiny().backbone.train()
    heads = [
        fit_embedding_head(backbone, batches, SIZE, 3)
        for batches in ([faces], [[faces / 255]], loader(faces, 5))
    ]
    for head in heads[1:]:
        torch.testing.assert_close(head.mean, heads[0].mean)
    assert backbone.training
    with pytest.raises(InputError, match="leave out an earlier normalisation"):
        fit_embedding_head(backbone, [faces.float()], SIZE, 3)
    monkeypatch.setattr(fitting, "MAX_IMAGES", 7)
    seen: list[int] = []
    few = fit_embedding_head(
        backbone, loader(faces, 5), SIZE, 99, on_progress=seen.append
    )
    assert seen == [5, 7]
    expected = fit_embedding_head(backbone, [faces[:7]], SIZE, 99)
    torch.testing.assert_close(few.mean, expected.mean)


def test_actions_have_axes_whatever_the_order(pil_faces: list[Image.Image]) -> None:
    torch.manual_seed(0)
    backbone = build_backbone("small")[0].eval()
    faces = torch.stack([pil_to_tensor(face.resize((48, 48))) for face in pil_faces])
    many = faces.repeat(200 // len(faces) + 1, 1, 1, 1)[:200]
    before = torch.get_rng_state()
    head = fit_embedding_head(backbone, many.split(50), 48, 30)
    assert torch.equal(torch.get_rng_state(), before)
    again = fit_embedding_head(backbone, many.split(50), 48, 30)
    for one, other in zip(
        head.state_dict().values(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_own_landmarks_place_the_actions(
    faces: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Tensor | None] = []

    def seen(spatial: object, views: object, images: Tensor, points: Tensor) -> Moved:
        given.append(points)
        zeros = np.zeros((len(images), 1), np.float32)
        return Moved(np.repeat(zeros, 32, 1), zeros)

    monkeypatch.setattr(fitting, "moved_features", seen)
    points = torch.rand(len(faces), 8, 2)
    fit_embedding_head(tiny().backbone, [FaceItem(faces, 0, points), faces], SIZE, 3)
    assert torch.equal(given[0], points)
    assert given[1] is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_encoders_of_other_precisions(faces: Tensor, dtype: torch.dtype) -> None:
    head = fit_embedding_head(tiny().backbone.to(dtype), [faces], SIZE, 3)
    assert head.components.dtype == torch.float32


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        (torch.zeros(4, 2, 8, 8), r"\[4, 2, 8, 8\]"),
        (torch.zeros(4, 8, 8, 3), r"\[4, 8, 8, 3\]"),
        (torch.zeros(3, 8, 8), r"\[3, 8, 8\]"),
        (torch.zeros(0, 3, 8, 8), r"\[0, 3, 8, 8\]"),
        ([[torch.zeros(4, 3, 8, 8)]], "list"),
    ],
)
def test_other_batches_are_named(batch: Any, found: str) -> None:
    with pytest.raises(InputError, match=f"images must be .* got {found}"):
        fit_embedding_head(tiny().backbone, [batch], SIZE, 3)


def test_what_no_head_can_be_fitted_to(faces: Tensor) -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 4))
    with pytest.raises(InputError, match="has no last feature map larger than one"):
        fit_embedding_head(flat, [faces], SIZE, 3)
    for batches in ([], [faces[:1]]):
        with pytest.raises(InputError, match="takes two readable images at least"):
            fit_embedding_head(tiny().backbone, batches, SIZE, 3)
