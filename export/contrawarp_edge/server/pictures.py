"""Pictures that come in, checked before they are decoded, and that go out, small."""

from __future__ import annotations

import io
import os
import warnings
from functools import lru_cache

import numpy as np
from PIL import Image

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import image_formats, read_rgb
from contrawarp_edge.inputs.loading import Pixels
from contrawarp_edge.inputs.originals import original_file, small_jpeg

UPLOAD_FORMATS = {"AVIF": "avif", "BMP": "bmp", "GIF": "gif", "JPEG": "jpg"}
UPLOAD_FORMATS |= {"MPO": "jpg", "PNG": "png", "TIFF": "tif", "WEBP": "webp"}
"""Formats that are decoded for clients, and the file extensions for them. Pillow reads
far more, whose decoders need not be within everybody's reach."""


def decode_upload(data: bytes, max_pixels: int) -> tuple[Pixels, str]:
    """Decodes an uploaded image.

    Args:
        data: The file's bytes.
        max_pixels: Larger images are refused from their header alone.

    Returns:
        uint8 ``(H, W, 3)`` RGB, upright, and the extension for such a file.

    Raises:
        InputError: If it is no image of ``UPLOAD_FORMATS``, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own pixel limit follows
            with Image.open(io.BytesIO(data), formats=_upload_formats()) as image:
                width, height = image.size
                extension = UPLOAD_FORMATS[str(image.format)]
    except Image.DecompressionBombError:
        width = height = max_pixels
    except Exception as error:  # decoders raise almost any type on broken data
        raise InputError(
            "the upload is no image in JPEG, PNG, WebP, GIF, AVIF, BMP or TIFF format"
        ) from error
    if width * height > max_pixels:
        raise InputError(
            f"the image has more than the {max_pixels / 1e6:g} million pixels allowed; "
            "scale it down or crop it to the face"
        )
    return np.asarray(read_rgb(io.BytesIO(data), name="the upload")), extension


def _upload_formats() -> list[str]:
    return [name for name in UPLOAD_FORMATS if name in image_formats()]


def encoded(path: str, side: int) -> bytes:
    """A picture of the gallery as a JPEG without metadata.

    Args:
        path: As the gallery recorded it; also that of a frame of a video.
        side: Most pixels of width and height.

    Raises:
        InputError: If the original cannot be read any more.
    """
    try:
        stat = os.stat(original_file(path))
        return _encoded(path, stat.st_mtime_ns, stat.st_size, side)
    except (InputError, OSError, ValueError) as error:
        raise InputError("the original image cannot be read any more") from error


@lru_cache(maxsize=256)
def _encoded(path: str, changed: int, size: int, side: int) -> bytes:
    return small_jpeg(path, side)
