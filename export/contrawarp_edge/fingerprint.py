"""The fingerprint of an exported model: what it computes, whatever it is called."""

from __future__ import annotations

import hashlib
import mmap

from contrawarp_edge.errors import InputError

_GRAPH_FIELD = 7  # of onnx.ModelProto


def graph_fingerprint(model: bytes | memoryview | mmap.mmap) -> str:
    """Hashes the graph of an ONNX file: weights, preprocessing and all.

    The graph is one field of the serialised model. Names, versions and metadata are
    other fields, so they do not count, and no ONNX library is needed to find it.

    Args:
        model: The content of the file.

    Returns:
        SHA-256 of the bytes of the graph, 64 lower-case hex digits.

    Raises:
        InputError: If the content is no serialised ONNX model.
    """
    # Views are released, or a file that is mapped could not be closed.
    with memoryview(model) as view:
        start, end = _find_graph(view)
        with view[start:end] as graph:
            return hashlib.sha256(graph).hexdigest()


def _find_graph(view: memoryview) -> tuple[int, int]:
    graphs = []
    position = 0
    while position < len(view):
        key, position = _varint(view, position)
        field, kind = key >> 3, key & 7
        size = 0
        if kind == 0:
            _, position = _varint(view, position)
        elif kind == 2:
            size, position = _varint(view, position)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise InputError("not a whole ONNX model")
        if field == _GRAPH_FIELD and kind == 2:
            graphs.append((position, position + size))
        position += size
    # Of several graphs, a reader makes one: hashing the first would miss the others.
    if position > len(view) or len(graphs) != 1:
        raise InputError("not a whole ONNX model")
    return graphs[0]


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(view) and shift < 64:
        byte = view[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value, position
    raise InputError("not a whole ONNX model")
