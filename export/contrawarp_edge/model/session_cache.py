"""Models as onnxruntime optimised them for this device, in the user's cache folder.

Optimising takes most of the time and memory of loading. The result fits one version of
onnxruntime on one kind of processor, so it is never shipped. The name of a file tells
all that it depends on, and the hash of its content: nothing else is believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from pathlib import Path
from typing import Any

from contrawarp_edge.core.checksums import sha256_of
from contrawarp_edge.core.drafts import draft_of, remove_stale_drafts

MIN_BYTES = 1 << 20
"""Smaller models are optimised about as quickly as they are read."""

MAX_KEPT = 8
"""When there are more files in the cache, the ones not used for longest go."""


def options(threads: int | None) -> Any:
    """Session options as all sessions have them."""
    onnxruntime = load_onnxruntime()

    made = onnxruntime.SessionOptions()
    made.log_severity_level = 4  # whatever goes wrong is raised as well
    # The arena would keep what the largest image ever needed, hundreds of megabytes.
    made.enable_cpu_mem_arena = False
    if threads is not None:
        made.intra_op_num_threads = threads
    return made


def cached_session(path: Path, fingerprint: str, threads: int | None) -> Any:
    """Opens a model's optimised copy, which is written if there is none.

    Args:
        path: The model.
        fingerprint: Of the model, checked.
        threads: Threads for one operation; onnxruntime's choice if None.

    Returns:
        An ``onnxruntime.InferenceSession`` on the CPU, or None if the model is small or
        nothing can be kept.
    """
    folder = cache_folder()
    if folder is None or path.stat().st_size < MIN_BYTES:
        return None
    key = f"{fingerprint[:32]}-{_device()}"
    with contextlib.suppress(Exception):  # onnxruntime's errors share no base class
        return _kept(folder, key, threads) or _made(folder, key, path, threads)
    return None


def cache_folder() -> Path | None:
    """Where optimised models are kept; None if there is no place for them."""
    try:
        if sys.platform == "win32":
            root = Path(os.environ["LOCALAPPDATA"])
        elif sys.platform == "darwin":
            root = Path.home() / "Library" / "Caches"
        else:
            named = os.environ.get("XDG_CACHE_HOME", "")
            # The specification ignores relative ones.
            root = Path(named) if os.path.isabs(named) else Path.home() / ".cache"
    except (KeyError, RuntimeError):
        return None
    return root / "contrawarp-edge"


def _kept(folder: Path, key: str, threads: int | None) -> Any:
    onnxruntime = load_onnxruntime()

    for file in folder.glob(f"{key}.*.onnx"):
        if _hash(file) != file.name.split(".")[-2]:
            file.unlink(missing_ok=True)
            continue
        with contextlib.suppress(OSError):
            os.utime(file)
        chosen = options(threads)
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        chosen.graph_optimization_level = level
        return _session(file, chosen)
    return None


def _made(folder: Path, key: str, path: Path, threads: int | None) -> Any:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    remove_stale_drafts(folder)
    chosen = options(threads)
    with draft_of(folder / f"{key}.onnx", seconds=0) as draft:
        chosen.optimized_model_filepath = str(draft.path)
        session = _session(path, chosen)
        draft.publish(folder / f"{key}.{_hash(draft.path)}.onnx")
    files = sorted(folder.glob("*.onnx"), key=lambda file: file.stat().st_mtime)
    for file in files[:-MAX_KEPT]:
        file.unlink(missing_ok=True)
    return session


def _session(path: Path, chosen: Any) -> Any:
    onnxruntime = load_onnxruntime()

    return onnxruntime.InferenceSession(
        str(path), chosen, providers=["CPUExecutionProvider"]
    )


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return sha256_of(opened)


def _device() -> str:
    """What an optimised model fits: onnxruntime's version and the processor."""
    onnxruntime = load_onnxruntime()

    facts = [platform.machine(), platform.processor()]
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        kinds = ("model name", "flags", "Features", "CPU part")
        facts += sorted({line for line in lines if line.startswith(kinds)})
    processor = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    return f"{onnxruntime.__version__.replace('.', '_')}-{processor}"


def load_onnxruntime() -> Any:
    """Imports onnxruntime, which takes longer than all the rest.

    From 1.29 on, its official builds keep an identifier of the device and send facts
    about models to its makers. That is turned off here: nothing leaves the device.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    # If somebody else has imported it before, the variable came too late.
    onnxruntime.disable_telemetry_events()
    return onnxruntime
