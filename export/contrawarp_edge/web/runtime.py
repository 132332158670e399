"""The files of onnxruntime-web, which npm delivers and no package contains."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from contrawarp_edge.core.errors import InputError

VERSION = "1.30.0"
"""The version of onnxruntime-web that npm is asked for."""

FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
"""What a page needs of it."""

_SHA512 = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02V"
    "b7QmRMDs1SigqR4CXAfKYQ=="
)
_SECONDS = 300


def read_runtime(folder: Path | None) -> dict[str, bytes]:
    """Reads the files, by name.

    Args:
        folder: ``node_modules/onnxruntime-web/dist``; npm is asked if None.

    Raises:
        InputError: If files are missing, or npm is, or it cannot get them.
    """
    if folder is None:
        return _from_npm()
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder}: has no {missing[0]}; give the folder "
            "node_modules/onnxruntime-web/dist"
        )
    return {name: (folder / name).read_bytes() for name in FILES}


def _from_npm() -> dict[str, bytes]:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(
            "npm, which delivers onnxruntime-web, is not installed; install it, or "
            "give the folder node_modules/onnxruntime-web/dist with --runtime"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [
            npm,
            "pack",
            "--silent",
            "--prefer-offline",
            f"onnxruntime-web@{VERSION}",
        ]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise InputError(f"npm took longer than {_SECONDS} s; try again") from error
        packed = Path(folder, f"onnxruntime-web-{VERSION}.tgz")
        if done.returncode or not packed.is_file():
            reason = (done.stderr or done.stdout).strip().splitlines() or ["no reason"]
            raise InputError(
                f"npm could not get onnxruntime-web {VERSION} ({reason[0]}); "
                "give a folder with --runtime"
            )
        return _unpack(packed)


def _unpack(packed: Path) -> dict[str, bytes]:
    digest = hashlib.sha512(packed.read_bytes()).digest()
    if base64.b64encode(digest).decode() != _SHA512:
        raise InputError(
            f"npm delivered another onnxruntime-web {VERSION} than the one known here"
        )
    wanted = {f"package/dist/{name}": name for name in FILES}
    files = {}
    with tarfile.open(packed, "r|gz") as archive:  # in one go: it is large
        for member in archive:
            content = archive.extractfile(member)
            if member.name in wanted and content is not None:
                files[wanted[member.name]] = content.read()
    return files
