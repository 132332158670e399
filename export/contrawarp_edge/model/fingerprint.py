"""The fingerprint of an exported model: what it computes, whatever it is called."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator, Mapping

from contrawarp_edge.core.errors import InputError

# Of onnx.ModelProto.
_GRAPH_FIELD = 7
_METADATA_FIELD = 14
_COMPUTED_FIELDS = (_GRAPH_FIELD, 8, 25)  # with versions of operators and functions

METADATA_PREFIX = "contrawarp."
"""Of the keys of metadata that belong to the contract."""


def contract_entries(metadata: Mapping[str, str]) -> dict[str, str]:
    """The entries of the contract without their prefix; those of other tools not."""
    return {
        key.removeprefix(METADATA_PREFIX): value
        for key, value in metadata.items()
        if key.startswith(METADATA_PREFIX)
    }


def model_fingerprint(
    model: bytes | memoryview | mmap.mmap, metadata: Mapping[str, str]
) -> str:
    """Hashes all that decides what a model's embeddings are and how it is used.

    That is the graph, the versions of its operators and its functions, and the
    contract's metadata but for the fingerprint itself. Files of format version 1 keep
    theirs, of the graph alone.

    Args:
        model: The content of the file; its own metadata does not count.
        metadata: What it says, or is to say, of itself; entries of other tools are
            left out.

    Returns:
        64 lower-case hex digits.

    Raises:
        InputError: If the content is no serialised ONNX model.
    """
    entries = contract_entries(metadata)
    if entries.get("format_version") == "1":
        return graph_fingerprint(model)
    lines = []
    with memoryview(model) as view:
        _find_graph(view)
        for field, start, end in _fields(view):
            if field in _COMPUTED_FIELDS:
                with view[start:end] as content:
                    lines.append(f"{field} {hashlib.sha256(content).hexdigest()}")
    for key in sorted(entries.keys() - {"fingerprint"}):
        digest = hashlib.sha256(entries[key].encode()).hexdigest()
        lines.append(f"{key} {digest}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


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


def stored_metadata(model: bytes | memoryview | mmap.mmap) -> dict[str, str]:
    """Reads the ``metadata_props`` of an ONNX file.

    Args:
        model: The content of the file.

    Raises:
        InputError: If the content is no serialised ONNX model.
    """
    found = {}
    with memoryview(model) as view:
        for field, start, end in _fields(view):
            if field == _METADATA_FIELD:
                with view[start:end] as entry:
                    values = {f: bytes(entry[a:b]) for f, a, b in _fields(entry)}
                key, value = values.get(1, b""), values.get(2, b"")
                found[key.decode(errors="replace")] = value.decode(errors="replace")
    return found


def _find_graph(view: memoryview) -> tuple[int, int]:
    graphs = [
        (start, end) for field, start, end in _fields(view) if field == _GRAPH_FIELD
    ]
    # Of several graphs, a reader makes one: hashing the first would miss the others.
    if len(graphs) != 1:
        raise InputError("not a whole ONNX model")
    return graphs[0]


def _fields(view: memoryview) -> Iterator[tuple[int, int, int]]:
    """Yields number, start and end of the fields of a message that have a length."""
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
        if position + size > len(view):
            raise InputError("not a whole ONNX model")
        if kind == 2:
            yield field, position, position + size
        position += size


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
