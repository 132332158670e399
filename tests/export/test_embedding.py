"""The embedding in the exported file: that of a head, or pooled features."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

from contrawarp_edge import Embedder
from helpers import one_line_error
from helpers_export import run, save_checkpoint
from lightly_contrawarp import ContraWarp, load_backbone, load_embedding
from lightly_contrawarp.data.synthetic import DrawnFaces
from lightly_contrawarp.evaluation.encoders.opening import load_encoder
from lightly_contrawarp.models.embedding.network import EmbeddingNetwork
from lightly_contrawarp.models.preprocessing import to_batch

SIZE = 48


@pytest.fixture(scope="module")
def checkpoint(faces: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = ContraWarp("small", input_size=SIZE, embedding_dim=10)
    model.fit_embedding_head([faces])
    return save_checkpoint(model, tmp_path_factory.mktemp("head") / "last.ckpt")


@pytest.fixture(scope="module")
def exported(checkpoint: Path) -> Path:
    path = checkpoint.with_name("model.onnx")
    result = run(
        *(checkpoint, "--onnx", path),
        *("--safetensors", checkpoint.with_name("weights.safetensors")),
    )
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "small, 48 px, 10 dimensions" in result.stdout
    assert "embedding: 10 principal components of 1152 features" in result.stdout
    return path


@pytest.mark.slow
def test_embeds_as_numpy_does(
    exported: Path, checkpoint: Path, pil_faces: list[Image.Image]
) -> None:
    backbone, _ = load_backbone(checkpoint)
    head = torch.load(checkpoint, weights_only=True)["contrawarp_head"]
    assert isinstance(backbone, nn.Sequential)
    with torch.inference_mode():
        maps = backbone[:-2](to_batch(pil_faces[:6], SIZE))
        features = F.adaptive_avg_pool2d(maps, 3).flatten(1).numpy()
    expected = (features - head["mean"].numpy()) @ head["components"].numpy().T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    embedder = Embedder(exported)
    assert embedder.info.dim == 10
    np.testing.assert_allclose(embedder.embed(pil_faces[:6]), expected, atol=1e-4)


@pytest.mark.slow
def test_the_head_is_one_product_with_a_bias(exported: Path) -> None:
    nodes = [node.op_type for node in onnx.load(exported).graph.node]
    assert nodes.count("Gemm") == 1
    assert "Sub" not in nodes[nodes.index("Gemm") :]


@pytest.mark.slow
def test_evaluates_as_the_checkpoint_does(
    exported: Path, checkpoint: Path, pil_faces: list[Image.Image]
) -> None:
    images = [face.resize((40 + 9 * i, 64)) for i, face in enumerate(pil_faces[:4])]
    raw, unit = (load_encoder(path) for path in (checkpoint, exported))
    values, embeddings = (e.embed(e.prepare(images)) for e in (raw, unit))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    np.testing.assert_allclose(values, embeddings, atol=1e-4)
    assert raw.info.features == "embedding, 3 x 3 cells"
    # By this the model card takes results of the checkpoint for those of the file.
    with safe_open(exported.with_name("weights.safetensors"), "pt") as file:
        assert file.metadata()["fingerprint"] == raw.info.fingerprint


@pytest.mark.slow
def test_weights_carry_the_head(exported: Path, checkpoint: Path) -> None:
    backbone, _ = load_backbone(checkpoint)
    network, _ = load_embedding(checkpoint)
    assert isinstance(network, EmbeddingNetwork)
    with safe_open(exported.with_name("weights.safetensors"), "pt") as file:
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        assert file.metadata()["dim"] == "10"
    for name in ("mean", "components"):
        assert torch.equal(weights[f"head.{name}"], getattr(network.head, name))
    missing, unexpected = backbone.load_state_dict(weights, strict=False)
    assert missing == []
    assert {key.partition(".")[0] for key in unexpected} == {"head"}


@pytest.mark.slow
def test_the_card_says_what_the_embedding_is(exported: Path) -> None:
    card = exported.with_suffix(".md").read_text()
    assert "into 10 numbers" in card
    assert (
        "- Embedding: 10 principal components of 1152 features, the last feature map "
        "on 3 x 3 cells; they keep "
    ) in card
    assert "% of the variance, whitening 0.5; scaled to unit length." in card


def test_kinds_of_features_have_fingerprints_of_their_own(checkpoint: Path) -> None:
    infos = [
        load_encoder(checkpoint, features=features).info
        for features in ("exported", "pooled", "spatial")
    ]
    assert len({info.fingerprint for info in infos}) == 3
    assert [info.features for info in infos] == [
        "embedding, 3 x 3 cells",
        "pooled",
        "spatial, 3 x 3 cells",
    ]


def said(path: Path, *options: object) -> tuple[str, str]:
    """What a quick export says: weights only."""
    target = path.with_name("other.safetensors")
    result = run(path, "--safetensors", target, "--no-card", *options)
    assert result.exit_code == 0, result.output
    with safe_open(target, "pt") as file:
        return result.output, file.metadata()["dim"]


def test_what_is_exported_can_be_chosen(
    checkpoint: Path, small_checkpoint: Path, folder: Path
) -> None:
    for path, options, dim, text in [
        (checkpoint, ("--features", "pooled"), "128", "pooled output, 128 features"),
        (checkpoint, ("--dim", 4), "4", "embedding: 4 principal components"),
        (checkpoint, ("--dim", 10), "10", "embedding: 10 principal components"),
        (small_checkpoint, (), "128", "small"),
        (small_checkpoint, ("--fit-head", folder, "--dim", 7), "7", "7 principal"),
        (checkpoint, ("--fit-head", folder), "23", "23 principal components"),
    ]:
        output, stored = said(path, *options)
        assert text in output
        assert stored == dim
        headless = path == small_checkpoint and not options
        assert ("has no embedding head, so that its pooled" in output) == headless


def test_images_that_no_head_can_be_fitted_to(
    small_checkpoint: Path, folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in sorted(folder.iterdir())[:6]:
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "cut.png").write_bytes(path.read_bytes()[:900])
    result = run(
        *(small_checkpoint, "--safetensors", tmp_path / "w", "--no-card"),
        *("--fit-head", broken),
    )
    assert result.exit_code == 3, result.output
    assert "1 images could not be read, the first: " in result.stderr
    assert "cut.png" in result.stderr


def test_what_cannot_be_chosen(
    checkpoint: Path, small_checkpoint: Path, folder: Path, tmp_path: Path
) -> None:
    content = torch.load(checkpoint, weights_only=True)
    content["contrawarp_head"]["mean"] = torch.zeros(3)
    damaged = tmp_path / "damaged.ckpt"
    torch.save(content, damaged)
    flat = save_checkpoint(ContraWarp("small", input_size=2), tmp_path / "flat.ckpt")
    weights = tmp_path / "w"
    for source, options, message in [
        (checkpoint, ("--dim", 11), "last.ckpt: 11 dimensions are more than the 10 of"),
        (small_checkpoint, ("--dim", 4), "last.ckpt: has no embedding head of which"),
        (checkpoint, ("--features", "pooled", "--dim", 4), "have no head to fit and"),
        (
            checkpoint,
            ("--features", "pooled", "--fit-head", folder),
            "have no head to fit and",
        ),
        (small_checkpoint, ("--fit-head", tmp_path / "no"), "no: no such file or fold"),
        (flat, ("--fit-head", folder), "no last feature map larger than one cell"),
        (damaged, (), "damaged.ckpt: its embedding head is damaged; "),
    ]:
        result = run(source, "--safetensors", weights, "--no-card", *options)
        one_line_error(result, message)
    assert not weights.exists()
    result = run(damaged, "--safetensors", weights, "--no-card", "--features", "pooled")
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_a_head_with_axes_of_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An untrained encoder tells none.
    monkeypatch.setattr("lightly_contrawarp.models.embedding.head._READABLE", -np.inf)
    drawn = DrawnFaces(120, 12, seed=3, size=SIZE)
    torch.manual_seed(0)
    model = ContraWarp("small", input_size=SIZE, embedding_dim=24)
    model.fit_embedding_head(drawn.images.split(40))
    source = save_checkpoint(model, tmp_path / "last.ckpt")
    count = len(torch.load(source, weights_only=True)["contrawarp_head"]["r2"])
    assert count == 10
    result = run(source, "--onnx", tmp_path / "model.onnx", "--dim", 16)
    assert result.exit_code == 0, result.output
    assert "embedding: 10 axes of facial actions (R2 " in result.stdout
    assert " and 6 principal components of 1152 features" in result.stdout
    result = run(source, "--onnx", tmp_path / "small.onnx", "--dim", 5)
    one_line_error(
        result, "5 dimensions are too few: 10 are axes of actions; give more"
    )
    assert not (tmp_path / "small.onnx").exists()
