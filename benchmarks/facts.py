"""What a measurement was made with."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
_VNNI = {"avx512_vnni": "AVX512-VNNI", "avx_vnni": "AVX-VNNI"}


def commit() -> str:
    """The version of the code, with a plus sign if it was changed since."""
    call = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(
            call, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):  # no git, or no clone
        return "unknown"
    return done.stdout.strip()


def hardware() -> dict[str, Any]:
    """What the runs were made on."""
    name = platform.processor() or platform.machine()
    name = _cpuinfo("model name") or name
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpu": name, "cores": os.cpu_count(), "gpu": gpu}


def vnni() -> str:
    """Which instructions for sums of 8-bit products an x86 processor has, in words."""
    flags = _cpuinfo("flags").split()
    if not flags:
        return "unknown"
    return ", ".join(_VNNI[flag] for flag in _VNNI if flag in flags) or "none, no VNNI"


def has_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16, as far as Linux says.

    Without them, bfloat16 is imitated and slower than float32.
    """
    flags = {*_cpuinfo("flags").split(), *_cpuinfo("Features").split()}  # x86, ARM
    return not flags.isdisjoint(_BFLOAT16)


def _cpuinfo(key: str) -> str:
    """What Linux says about the first core, or nothing."""
    if not _CPUINFO.exists():
        return ""
    for line in _CPUINFO.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""
