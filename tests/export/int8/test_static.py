"""The int8 model: what is quantised, what is not, and that it says so."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from contrawarp_edge import Embedder, InputError
from contrawarp_edge.model.fingerprint import model_fingerprint
from lightly_contrawarp.export.int8.static import quantize
from lightly_contrawarp.export.onnx_model import export_onnx, with_metadata
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.checkpoint import BackboneInfo
from lightly_contrawarp.models.embedding.fitting import fit_embedding_head
from lightly_contrawarp.models.embedding.network import embedding_network


@pytest.fixture(scope="module")
def int8(
    fp32: Embedder, photos: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("int8") / "model.onnx"
    quantized = quantize(fp32.path, fp32.info, photos[:100])
    assert (quantized.images, quantized.unreadable) == (100, [])
    path.write_bytes(with_metadata(quantized.content, quantized.info))
    return path


def test_says_what_it_is(int8: Path, fp32: Embedder) -> None:
    info = Embedder(int8).info
    assert info.precision == "int8"
    assert info.fingerprint == model_fingerprint(int8.read_bytes(), info.to_metadata())
    assert info.fingerprint != fp32.info.fingerprint
    for name in ("input_size", "crop", "backbone", "dim", "commercial_use"):
        assert getattr(info, name) == getattr(fp32.info, name)
    keys = [entry.key for entry in onnx.load(int8).metadata_props]
    assert len(keys) == len(set(keys))


def test_all_but_the_first_convolutions_are_8_bits(int8: Path, fp32: Embedder) -> None:
    model = onnx.load(int8)
    onnx.checker.check_model(model)
    made_by = {out: node.op_type for node in model.graph.node for out in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 6
    for node in convolutions[:2]:
        assert made_by[node.input[0]] != "DequantizeLinear"
        assert node.input[1] not in made_by
    for node in convolutions[2:]:
        sources = [made_by[name] for name in node.input[:2]]
        assert sources == ["DequantizeLinear"] * 2
    weights = [numpy_helper.to_array(w) for w in model.graph.initializer]
    quantised = [w for w in weights if w.dtype == np.int8 and w.ndim == 4]
    assert len(quantised) == 4
    # Two products of an 8-bit and such a number add up to less than 2 ** 15.
    assert max(abs(w.astype(int)).max() for w in quantised) == 64
    norm = next(node for node in model.graph.node if node.op_type == "ReduceL2")
    assert made_by[norm.input[0]] != "DequantizeLinear"
    assert int8.stat().st_size < 0.5 * fp32.path.stat().st_size


def test_scales_are_per_channel(int8: Path) -> None:
    weights = {
        w.name: numpy_helper.to_array(w) for w in onnx.load(int8).graph.initializer
    }
    scales = [w for name, w in weights.items() if name.endswith("weight_scale")]
    assert sorted(len(np.atleast_1d(scale)) for scale in scales) == [
        32,
        64,
        64,
        128,
    ]


def test_embeds_nearly_as_fp32(int8: Path, fp32: Embedder, photos: list[Path]) -> None:
    held_out = photos[100:]
    cosines = (Embedder(int8).embed(held_out) * fp32.embed(held_out)).sum(1)
    assert 0.99 < cosines.min() < 1 - 1e-7


def test_is_the_same_every_time(
    int8: Path,
    fp32: Embedder,
    photos: list[Path],
    progress: tuple[list[int], Callable[[int], None]],
) -> None:
    broken = photos[0].with_name("broken.png")
    broken.write_bytes(b"no picture")
    seen, report = progress
    paths = [*photos[:50], broken, *photos[50:100]]
    again = quantize(fp32.path, fp32.info, paths, on_progress=report)
    broken.unlink()
    assert again.info == Embedder(int8).info
    assert again.images == 100
    assert again.unreadable == [f"{broken}: not an image that Pillow can read"]
    assert seen == list(range(1, 101))


@pytest.mark.slow
def test_an_embedding_head_is_computed_in_fp32(
    photos: list[Path], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    backbone = build_backbone("small")[0].eval()
    images = [Image.open(path).convert("RGB").resize((32, 32)) for path in photos[:64]]
    pixels = torch.stack([pil_to_tensor(image) for image in images])
    head = fit_embedding_head(backbone, [pixels], 32, 8)
    network = embedding_network(backbone, 32, head).eval()
    info = BackboneInfo(name="small", dim=8, input_size=32)
    path = tmp_path / "model.onnx"
    export_onnx(network, info, path, images[:4])
    quantized = quantize(path, Embedder(path).info, photos[:100])
    graph = onnx.load_from_string(quantized.content).graph
    nodes = graph.node
    made_by = {out: node.op_type for node in nodes for out in node.output}
    (product,) = (node for node in nodes if node.op_type == "Gemm")
    assert "DequantizeLinear" not in [made_by.get(name) for name in product.input]
    stored = {weight.name: weight.data_type for weight in graph.initializer}
    assert stored[f"{product.input[1]}_int8"] == TensorProto.INT8
    assert sum(node.op_type == "DequantizeLinear" for node in nodes) > 4


def test_what_cannot_be_quantised(
    fp32: Embedder, photos: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="only 99 of 99 images to calibrate on can be"):
        quantize(fp32.path, fp32.info, photos[:99])
    tensor = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "x"], ["y"], name="only")], "g", [tensor], []
    )
    path = tmp_path / "one.onnx"
    onnx.save(helper.make_model(graph), path)
    with pytest.raises(
        InputError, match="int8 needs a network of convolutions, and sm"
    ):
        quantize(path, fp32.info, photos)
