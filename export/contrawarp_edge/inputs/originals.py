"""The picture behind a path of a gallery: an image file, or a frame of a video."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from contrawarp_edge.images import read_rgb
from contrawarp_edge.inputs.video import frame_at, split_frame_path


def read_original(path: Path | str) -> Image.Image:
    """Decodes the picture behind a path.

    Args:
        path: An image file, or a frame of a video such as ``clip.mp4#t=12.500``.

    Returns:
        An image of mode ``RGB``, upright.

    Raises:
        InputError: If it is gone or cannot be decoded.
    """
    frame = split_frame_path(str(path))
    if frame is not None and not os.path.lexists(path):
        return frame_at(*frame)
    return read_rgb(path)
