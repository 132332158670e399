"""The fingerprint is the hash of a graph, found without an ONNX library."""

from __future__ import annotations

import hashlib
import mmap
import random
import re
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from contrawarp_edge import InputError
from contrawarp_edge.fingerprint import graph_fingerprint


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
