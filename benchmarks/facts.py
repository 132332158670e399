"""What a measurement was made with."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch


def commit() -> str:
    """The version of the code, with a plus sign if it was changed since."""
    call = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(
        call, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    ).stdout.strip()


def hardware() -> dict[str, Any]:
    """What the runs were made on."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        name = lines[0].partition(": ")[2] if lines else name
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpu": name, "cores": os.cpu_count(), "gpu": gpu}
