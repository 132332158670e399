"""The fingerprint is the hash of a graph, found without an ONNX library."""

from __future__ import annotations

import hashlib
import mmap
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from contrawarp_edge import Embedder, InputError, ModelInfo
from contrawarp_edge.model.fingerprint import graph_fingerprint, model_fingerprint


def graph_of(path: Path) -> bytes:
    return onnx.load(path).graph.SerializeToString(deterministic=True)


def test_is_the_hash_of_the_graph_that_onnx_reads(model: Path) -> None:
    expected = hashlib.sha256(graph_of(model)).hexdigest()
    content = model.read_bytes()
    assert graph_fingerprint(content) == expected
    assert graph_fingerprint(memoryview(content)) == expected
    with (
        model.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        assert graph_fingerprint(mapped) == expected


def test_counts_the_weights_and_not_what_is_said_of_them(
    make_model: Callable[..., Path],
) -> None:
    path = make_model()
    expected = graph_fingerprint(path.read_bytes())
    other = make_model("other.onnx", seed=1)
    assert graph_fingerprint(other.read_bytes()) != expected
    proto = onnx.load(path)
    proto.producer_name = "another tool"
    proto.ClearField("metadata_props")
    assert graph_fingerprint(proto.SerializeToString()) == expected


def test_covers_what_is_computed_and_what_is_said(model: Path) -> None:
    proto = onnx.load(model)
    said = {p.key.split(".", 1)[1]: p.value for p in proto.metadata_props}
    stored = said.pop("fingerprint")
    parts = [("7", graph_of(model))]
    parts += [("8", o.SerializeToString()) for o in proto.opset_import]
    if model.read_bytes().index(parts[1][1]) < model.read_bytes().index(parts[0][1]):
        parts.reverse()
    parts += [(key, value.encode()) for key, value in sorted(said.items())]
    lines = [f"{name} {hashlib.sha256(part).hexdigest()}" for name, part in parts]
    assert stored == hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_no_bit_of_the_metadata_can_change(model: Path, info: ModelInfo) -> None:
    content = model.read_bytes()
    start = len(content) - sum(map(len, sum(info.to_metadata().items(), ())))
    accepted = []
    for at in range(start, len(content), 5):
        data = bytearray(content)
        data[at] ^= 1 << (at % 8)
        model.write_bytes(data)
        try:
            accepted.append((at, Embedder(model).info == info))
        except InputError:
            continue
    assert all(is_same for _, is_same in accepted), accepted


def test_files_of_the_first_version_still_open(
    make_model: Callable[..., Path], info: ModelInfo
) -> None:
    content = make_model().read_bytes()
    first = replace(
        info, format_version=1, fingerprint=graph_fingerprint(content), crop={"any": 1}
    )
    path = make_model("first.onnx", metadata=first.to_metadata())
    assert Embedder(path).info == first
    # Damage does not turn a later file into one of them.
    said = {**info.to_metadata(), "contrawarp.format_version": "1"}
    assert model_fingerprint(content, said) != info.fingerprint


def test_fields_of_every_kind_are_passed_over() -> None:
    graph = b"\x3a\x02hi"  # field 7, two bytes
    before = b"\x09" + bytes(8) + b"\x15" + bytes(4) + b"\x08\xff\x01"
    expected = hashlib.sha256(b"hi").hexdigest()
    assert graph_fingerprint(graph) == expected
    assert graph_fingerprint(before + graph + before) == expected


def test_no_part_of_a_model_passes_for_a_whole_one(model: Path) -> None:
    content, graph = model.read_bytes(), graph_of(model)
    for length in range(content.index(graph) + len(graph)):
        with pytest.raises(InputError, match="not a whole ONNX model"):
            graph_fingerprint(content[:length])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"\xff" * 20,  # a number without an end
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7fhi",  # larger than any file
        b"\x3b\x3a\x02hi",  # a kind of field that ONNX does not have
        b"\x38\x02",  # field 7, but a number
        b"\x3a\x02hi\x3a\x02hi",  # two graphs
        b"\x3a\x02hi\x0a",  # whole graph, half a field
        b"\x3a\x02hi\x0a\x05abc",
    ],
)
def test_what_is_no_model(content: bytes) -> None:
    with pytest.raises(InputError, match="not a whole ONNX model"):
        graph_fingerprint(content)


def test_noise_never_ends_in_another_error() -> None:
    noise = random.Random(0)
    refused = 0
    for _ in range(2000):
        try:
            found = graph_fingerprint(noise.randbytes(noise.randrange(40)))
            assert re.fullmatch("[0-9a-f]{64}", found)
        except InputError:
            refused += 1
    assert refused > 1900
