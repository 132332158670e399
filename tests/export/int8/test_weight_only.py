"""Weights of 8 bits: what is stored, and that nothing else changes."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from contrawarp_edge import Embedder, InputError
from contrawarp_edge.model.fingerprint import model_fingerprint
from lightly_contrawarp.export.int8.static import quantize
from lightly_contrawarp.export.int8.stored_weights import to_integers
from lightly_contrawarp.export.int8.weight_only import quantize_weights
from lightly_contrawarp.export.onnx_model import with_metadata


@pytest.fixture(scope="module")
def small(fp32: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.onnx"
    quantized = quantize_weights(fp32.path, fp32.info)
    assert (quantized.images, quantized.unreadable) == (0, [])
    path.write_bytes(with_metadata(quantized.content, quantized.info))
    return path


def run(path: Path, images: np.ndarray, *, optimised: bool) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    )
    session = onnxruntime.InferenceSession(str(path), options)
    return np.asarray(session.run(None, {"images": images})[0])


@pytest.mark.parametrize("shape", [(5, 3, 3, 3), (4, 1, 5), (3, 2)])
def test_integers_are_those_of_pytorch(shape: tuple[int, ...]) -> None:
    weights = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    weights[1] *= 100
    weights[2] = 0
    integers, scales = to_integers(weights)
    assert integers.dtype == np.int8
    assert scales.dtype == np.float32
    assert scales.shape == (shape[0],) + (1,) * (len(shape) - 1)
    rounded = torch.fake_quantize_per_channel_affine(
        torch.from_numpy(weights),
        torch.from_numpy(scales.ravel()),
        torch.zeros(shape[0], dtype=torch.int32),
        axis=0,
        quant_min=-128,
        quant_max=127,
    )
    np.testing.assert_array_equal(integers * scales, rounded.numpy())
    largest = np.abs(integers.reshape(shape[0], -1).astype(int)).max(axis=1)
    assert largest.tolist() == [127 if row != 2 else 0 for row in range(shape[0])]


def test_all_but_the_first_convolutions_are_stored_in_8_bits(
    small: Path, fp32: Embedder
) -> None:
    model = onnx.load(small)
    onnx.checker.check_model(model)
    before = {w.name: w for w in onnx.load(fp32.path).graph.initializer}
    after = {w.name: w for w in model.graph.initializer}
    names = [node.input[1] for node in model.graph.node if node.op_type == "Conv"]
    assert len(names) == 6
    for name in names[:2]:
        assert after[name] == before[name]
    for name in names[2:]:
        weights = numpy_helper.to_array(before[name])
        integers = numpy_helper.to_array(after[f"{name}_int8"])
        scale = numpy_helper.to_array(after[f"{name}_scale"])
        assert name not in after
        assert integers.dtype == np.int8
        assert scale.size == len(weights) > 1
        # Half a step, and the rounding of the product in fp32.
        limit = 0.5001 * np.broadcast_to(scale, weights.shape)
        assert (np.abs(integers * scale - weights) <= limit).all()
    assert not any("Quantize" in node.op_type for node in model.graph.node)
    assert small.stat().st_size < 0.5 * fp32.path.stat().st_size


def test_embeds_nearly_as_fp32(
    small: Path, fp32: Embedder, photos: list[Path], tmp_path: Path
) -> None:
    def lowest(path: Path) -> float:
        products = Embedder(path).embed(photos[100:]) * fp32.embed(photos[100:])
        return float(products.sum(1).min())

    both = quantize(fp32.path, fp32.info, photos[:100])
    path = tmp_path / "both.onnx"
    path.write_bytes(with_metadata(both.content, both.info))
    assert lowest(path) < lowest(small) < 1 - 1e-7


def test_onnxruntime_may_optimise_it(small: Path, photos: list[Path]) -> None:
    pixels = np.stack(
        [np.array(Image.open(path).convert("RGB").resize((40, 40))) for path in photos]
    )
    plain = run(small, pixels, optimised=False)
    np.testing.assert_allclose(run(small, pixels, optimised=True), plain, atol=1e-5)


def test_weights_are_widened_when_the_model_is_loaded(
    small: Path, tmp_path: Path
) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_BASIC
    onnxruntime.InferenceSession(str(small), options)
    graph = onnx.load(tmp_path / "optimised.onnx").graph
    stored = {w.name for w in graph.initializer}
    convolutions = [node for node in graph.node if "Conv" in node.op_type]
    assert len(convolutions) == 6
    assert all(node.input[1] in stored for node in convolutions)


def test_says_what_it_is_every_time(small: Path, fp32: Embedder) -> None:
    info = Embedder(small).info
    assert info.precision == "int8"
    assert info.fingerprint == model_fingerprint(small.read_bytes(), info.to_metadata())
    assert info.fingerprint != fp32.info.fingerprint
    assert quantize_weights(fp32.path, fp32.info).info == info


def test_what_cannot_be_quantised(fp32: Embedder, tmp_path: Path) -> None:
    tensor = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "x"], ["y"], name="only")], "g", [tensor], []
    )
    path = tmp_path / "one.onnx"
    onnx.save(helper.make_model(graph), path)
    with pytest.raises(InputError, match="int8 needs a network of convolutions"):
        quantize_weights(path, fp32.info)
