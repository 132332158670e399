from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from contrawarp_edge import ModelInfo
from contrawarp_edge.inputs.images import image_formats
from contrawarp_edge.model.fingerprint import model_fingerprint

DIM = 8
CLASSES = ("angry", "happy", "neutral")
MakeModel = Callable[..., Path]
MakeImages = Callable[..., list[Path]]


def weights(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(6, DIM)).astype(np.float32)


def heads(seed: int, count: int) -> np.ndarray:
    return 9 * np.random.default_rng(seed + 99).normal(size=(6, count)).astype("f4")


def model_info(seed: int = 0, classes: Sequence[str] = ()) -> ModelInfo:
    return ModelInfo(
        input_size=112,
        crop={"name": "tight-face-v1", "face_box": (0.1, 0.12, 0.9, 0.96)},
        backbone="moments",
        dim=DIM,
        package_version="0.1.0",
        precision="fp32",
        commercial_use="unknown",
        fingerprint="0" * 64,
        classes=tuple(classes),
    ).sealed(serialised_model(seed, classes))


def serialised_model(seed: int = 0, classes: Sequence[str] = ()) -> bytes:
    """Projects the mean and mean square of each colour: any size, order matters not."""
    constants = {
        "axes": np.array([1, 2], np.int64),
        "last": np.array([1], np.int64),
        "white": np.float32(255),
        "weights": weights(seed),
    }
    outputs = [
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", DIM])
    ]
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "white"], ["x"]),
        helper.make_node("Mul", ["x", "x"], ["xx"]),
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=0),
        helper.make_node("ReduceMean", ["xx", "axes"], ["square"], keepdims=0),
        helper.make_node("Concat", ["mean", "square"], ["moments"], axis=1),
        helper.make_node("MatMul", ["moments", "weights"], ["projected"]),
        helper.make_node("ReduceL2", ["projected", "last"], ["length"], keepdims=1),
        helper.make_node("Div", ["projected", "length"], ["embedding"]),
    ]
    if classes:
        count = len(classes)
        constants["heads"] = heads(seed, count)
        nodes += [
            helper.make_node("MatMul", ["moments", "heads"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
        ]
        outputs.append(
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", count])
        )
    graph = helper.make_graph(
        nodes,
        "moments",
        [
            helper.make_tensor_value_info(
                "images", TensorProto.UINT8, ["N", "H", "W", 3]
            )
        ],
        outputs,
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    )
    return model.SerializeToString(deterministic=True)


def model_bytes(
    seed: int = 0,
    metadata: dict[str, str] | None = None,
    classes: Sequence[str] = (),
) -> bytes:
    """A model with its metadata appended, as contrawarp-export does it."""
    tail, content = onnx.ModelProto(), serialised_model(seed, classes)
    whole = model_info(seed, classes).to_metadata()
    props = whole if metadata is None else dict(metadata)
    key = "contrawarp.fingerprint"
    if props.get(key) == whole[key]:  # nobody wants a wrong one
        props[key] = model_fingerprint(content, props)
    helper.set_model_props(tail, props)
    return content + tail.SerializeToString()


def moments(pixels: np.ndarray) -> np.ndarray:
    x = pixels.astype(np.float64) / 255
    return np.concatenate([x.mean(axis=(0, 1)), (x * x).mean(axis=(0, 1))])


def reference_embedding(pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    projected = moments(pixels) @ weights(seed)
    return projected / np.linalg.norm(projected)


def probabilities(pixels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    powers = np.exp(moments(pixels) @ heads(seed, count))
    return powers / powers.sum()


def write_images(root: Path, count: int, size: int = 16) -> list[Path]:
    rng = np.random.default_rng(count)
    root.mkdir(exist_ok=True)
    paths = [root / f"{number:04}.png" for number in range(count)]
    for path in paths:
        tint = rng.integers(1, 256, 3)
        pixels = rng.integers(0, tint + 1, (size, size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


@pytest.fixture(scope="session")
def shared_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For tests that do not change it."""
    path = tmp_path_factory.mktemp("shared") / "model.onnx"
    path.write_bytes(model_bytes())
    return path


@pytest.fixture(scope="session")
def shared_images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Thirty, for tests that do not change them."""
    return write_images(tmp_path_factory.mktemp("shared") / "faces", 30)


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    def make(name: str = "model.onnx", **settings: object) -> Path:
        path = tmp_path / name
        path.write_bytes(model_bytes(**settings))  # type: ignore[arg-type]
        return path

    return make


@pytest.fixture
def model(make_model: MakeModel) -> Path:
    return make_model()


@pytest.fixture
def recogniser(make_model: MakeModel) -> Path:
    """A model with the classes ``CLASSES``."""
    return make_model("recogniser.onnx", classes=CLASSES)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine can reach, unlike ``tmp_path``."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name).resolve()


@pytest.fixture
def info() -> ModelInfo:
    return model_info()


@pytest.fixture
def reference() -> Callable[..., np.ndarray]:
    return reference_embedding


@pytest.fixture
def reference_scores() -> Callable[..., np.ndarray]:
    return probabilities


@pytest.fixture
def make_images(tmp_path: Path) -> MakeImages:
    def make(count: int, folder: str = "faces", size: int = 16) -> list[Path]:
        return write_images(tmp_path / folder, count, size)

    return make


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of one second that is red, and blue from its middle on."""
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(10):
            image = Image.new("RGB", (32, 32), "blue" if number >= 5 else "red")
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def fresh_formats(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """HEIF is looked for anew, and is forgotten again if it is found."""
    Image.init()
    others = {name: entry for name, entry in Image.OPEN.items() if name != "HEIF"}
    extensions = {end: name for end, name in Image.EXTENSION.items() if name in others}
    monkeypatch.setattr(Image, "OPEN", others)
    monkeypatch.setattr(Image, "EXTENSION", extensions)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name in others])
    image_formats.cache_clear()
    yield
    image_formats.cache_clear()
