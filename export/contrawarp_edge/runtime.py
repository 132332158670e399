"""onnxruntime, imported when it is needed and without its telemetry."""

from __future__ import annotations

import os
from typing import Any


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
