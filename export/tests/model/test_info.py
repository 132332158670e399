from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from contrawarp_edge import Embedder, InputError, ModelInfo


def test_round_trip(info: ModelInfo) -> None:
    metadata = info.to_metadata()
    assert all(isinstance(value, str) for value in metadata.values())
    assert ModelInfo.from_metadata({**metadata, "other.tool": "x"}) == info


def test_key_names(info: ModelInfo) -> None:
    names = (
        "format_version input_size crop backbone dim package_version precision "
        "commercial_use fingerprint classes"
    )
    metadata = info.to_metadata()
    assert set(metadata) == {f"contrawarp.{name}" for name in names.split()}
    assert metadata["contrawarp.format_version"] == "3"
    assert metadata["contrawarp.input_size"] == "112"


def test_every_key_is_needed(info: ModelInfo) -> None:
    for key in info.to_metadata():
        metadata = info.to_metadata()
        del metadata[key]
        with pytest.raises(InputError, match=rf"face\.onnx: .*{key}"):
            ModelInfo.from_metadata(metadata, "face.onnx")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format_version", "4", "newer"),
        ("dim", "many", "many"),
        ("dim", "0", "positive"),
        ("crop", "{", "Expecting"),
        ("crop", "[]", "JSON object"),
        ("commercial_use", "maybe", "unknown"),
        ("fingerprint", "abc", "SHA-256"),
        ("classes", '"happy"', "list of names"),
        ("classes", "[1, 2]", "list of names"),
        ("classes", '["sad", "happy", "sad"]', "repeat a name: sad, happy, sad"),
    ],
)
def test_malformed_values(info: ModelInfo, key: str, value: str, message: str) -> None:
    metadata = {**info.to_metadata(), f"contrawarp.{key}": value}
    with pytest.raises(InputError, match=rf"face\.onnx: .*{message}"):
        ModelInfo.from_metadata(metadata, "face.onnx")


def test_values_are_checked_when_writing(info: ModelInfo) -> None:
    with pytest.raises(InputError, match="fingerprint"):
        replace(info, fingerprint="")


def test_foreign_model(make_model: Callable[..., Path]) -> None:
    path = make_model("foreign.onnx", metadata={})
    with pytest.raises(InputError, match=r"foreign\.onnx: not written by"):
        Embedder(path)


def test_no_model(tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("hello")
    for path, message in [
        (text, "not an ONNX model"),
        (tmp_path, "is a folder"),
        (tmp_path / "none.onnx", "no such model"),
    ]:
        with pytest.raises(InputError, match=f"{path.name}: {message}"):
            Embedder(path)


def test_wrong_interface(model: Path, tmp_path: Path) -> None:
    proto = onnx.load(model)
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    onnx.save(proto, tmp_path / "float.onnx")
    with pytest.raises(InputError, match="uint8 'images'"):
        Embedder(tmp_path / "float.onnx")


def test_changed_weights_are_refused(model: Path) -> None:
    whole = model.read_bytes()
    weights = next(t for t in onnx.load(model).graph.initializer if t.name == "weights")
    changed = bytearray(whole)
    changed[whole.index(weights.raw_data)] ^= 1  # the last bit of one weight
    model.write_bytes(changed)
    with pytest.raises(InputError, match=r"model\.onnx: was changed after its export"):
        Embedder(model)
    model.write_bytes(whole)
    Embedder(model)


def test_a_fingerprint_of_other_weights_is_refused(
    make_model: Callable[..., Path], info: ModelInfo
) -> None:
    claim = replace(info, fingerprint="0" * 64).to_metadata()
    path = make_model("claim.onnx", metadata=claim)
    with pytest.raises(InputError, match=r"claim\.onnx: .* fingerprint 000000000000\)"):
        Embedder(path)


def test_a_second_graph_is_refused(model: Path) -> None:
    addition = onnx.ModelProto()
    addition.graph.doc_string = "merged into the first one by protobuf"
    model.write_bytes(model.read_bytes() + addition.SerializeToString())
    with pytest.raises(InputError, match=r"model\.onnx: .*not a whole ONNX"):
        Embedder(model)


def test_metadata_of_other_tools_is_no_change(model: Path, info: ModelInfo) -> None:
    addition = onnx.ModelProto(producer_name="another tool")
    onnx.helper.set_model_props(addition, {"other.tool": "x"})
    model.write_bytes(model.read_bytes() + addition.SerializeToString())
    assert Embedder(model).info == info


def test_unknown_provider(model: Path) -> None:
    with pytest.raises(InputError, match="WarpDrive: not a provider"):
        Embedder(model, providers=["WarpDrive"])


def test_classes_make_the_round_trip(recogniser: Path) -> None:
    info = Embedder(recogniser).info
    assert info.classes == ("angry", "happy", "neutral")
    assert ModelInfo.from_metadata(info.to_metadata()) == info


def test_names_of_classes_are_text(info: ModelInfo) -> None:
    with pytest.raises(InputError, match="no valid Unicode"):
        replace(info, classes=("gr\udcfcn", "happy"))


def test_renamed_classes_are_another_model(make_model: Callable[..., Path]) -> None:
    one = Embedder(make_model("one.onnx", classes=["sad", "happy"])).info
    other = Embedder(make_model("other.onnx", classes=["happy", "sad"])).info
    assert one.fingerprint != other.fingerprint


def test_earlier_versions_have_no_classes(info: ModelInfo) -> None:
    earlier = replace(info, format_version=2).to_metadata()
    assert "contrawarp.classes" not in earlier
    assert ModelInfo.from_metadata(earlier).classes == ()


def test_as_many_names_as_scores(
    make_model: Callable[..., Path], info: ModelInfo
) -> None:
    few = replace(info, classes=("happy", "sad")).to_metadata()
    path = make_model(classes=["a", "b", "c"], metadata=few)
    with pytest.raises(InputError, match=r"scores of 3 classes .* names 2; export"):
        Embedder(path)
    path = make_model(metadata=few)
    with pytest.raises(InputError, match=r"scores of 0 classes .* names 2; export"):
        Embedder(path)
