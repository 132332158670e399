"""Short videos, each frame of one grey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

FPS = 10


def save_video(
    path: Path, levels: list[int], times: list[int] | None = None, start: int = 0
) -> Path:
    """Grey frames of some brightness, at times in tenths of a second."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.codec_context.gop_size = 6
        stream.codec_context.qmin = stream.codec_context.qmax = 1
        for number, level in enumerate(levels):
            frame = av.VideoFrame.from_ndarray(
                np.full((32, 48, 3), level, np.uint8), format="rgb24"
            )
            frame.pts = start + (times[number] if times else number)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
