"""Loading an exported model into onnxruntime, if it keeps the contract."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.model import session_cache
from contrawarp_edge.model.fingerprint import model_fingerprint, stored_metadata
from contrawarp_edge.model.info import (
    INPUT_NAME,
    OUTPUT_NAME,
    SCORES_NAME,
    ModelInfo,
)
from contrawarp_edge.model.session_cache import load_onnxruntime

_CPU = "CPUExecutionProvider"


def open_session(
    path: Path, *, threads: int | None, providers: Sequence[str] | None
) -> tuple[Any, ModelInfo]:
    """Loads an exported model and checks that it keeps the contract.

    Args:
        path: The ``.onnx`` file.
        threads: Threads for one operation; onnxruntime's choice if None.
        providers: onnxruntime execution providers; the CPU if None.

    Returns:
        The ``onnxruntime.InferenceSession`` and the model's metadata.

    Raises:
        InputError: If the file is missing, no ONNX model, another kind of model, or
            not as it was exported, or a provider is not available.
    """
    onnxruntime = load_onnxruntime()
    if not path.is_file():
        problem = "is a folder, not a model" if path.is_dir() else "no such model"
        raise InputError(f"{path}: {problem}")
    available = onnxruntime.get_available_providers()
    for provider in providers or ():
        if provider not in available:
            raise InputError(
                f"{provider}: not a provider of this onnxruntime, which has "
                f"{', '.join(available)}"
            )
    fingerprint, metadata = _read(path)
    info = ModelInfo.from_metadata(metadata, path)
    is_whole = fingerprint == info.fingerprint
    chosen = list(providers or [_CPU])
    try:
        session = None
        if is_whole and chosen == [_CPU]:
            session = session_cache.cached_session(path, fingerprint, threads)
        session = session or onnxruntime.InferenceSession(
            str(path), session_cache.options(threads), providers=chosen
        )
    except Exception as error:  # onnxruntime's errors share no base class
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: not an ONNX model that runs here ({reason})"
        ) from error
    _check_interface(session, info, path)
    if not is_whole:
        raise InputError(
            f"{path}: was changed after its export (weights, preprocessing or metadata "
            f"are not those of fingerprint {info.short_fingerprint}); export the model "
            "again"
        )
    return session, info


def _read(path: Path) -> tuple[str, dict[str, str]]:
    """The fingerprint that a file really has, and what it says about itself."""
    try:
        # Mapped, not read: the pages of a large model can leave memory again.
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            metadata = stored_metadata(content)
            return model_fingerprint(content, metadata), metadata
    except (InputError, ValueError) as error:  # the latter for an empty file
        raise InputError(f"{path}: not an ONNX model ({error})") from error


def _check_interface(session: Any, info: ModelInfo, path: Path) -> None:
    inputs = [(i.name, i.type, len(i.shape)) for i in session.get_inputs()]
    outputs = {o.name: (o.type, len(o.shape)) for o in session.get_outputs()}
    if inputs != [(INPUT_NAME, "tensor(uint8)", 4)]:
        raise InputError(f"{path}: its input is not uint8 {INPUT_NAME!r} [N, H, W, 3]")
    matrix = ("tensor(float)", 2)
    if outputs.pop(OUTPUT_NAME, None) != matrix:
        raise InputError(f"{path}: its output is not float32 {OUTPUT_NAME!r} [N, D]")
    if outputs.pop(SCORES_NAME, matrix) != matrix or outputs:
        raise InputError(
            f"{path}: besides {OUTPUT_NAME!r}, its output is not float32 "
            f"{SCORES_NAME!r} [N, C]"
        )
    shapes = {o.name: o.shape for o in session.get_outputs()}
    size = shapes.get(SCORES_NAME, (None, 0))[1]
    if size != len(info.classes):
        raise InputError(
            f"{path}: has scores of {size} classes although its metadata names "
            f"{len(info.classes)}; export the model again"
        )
