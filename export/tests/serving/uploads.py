"""Images that clients send."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from PIL import Image
from starlette.testclient import TestClient


def encoded(format: str, size: tuple[int, int] = (20, 30), **options: Any) -> bytes:
    """A file of noise in one of Pillow\'s formats."""
    rng = np.random.default_rng(size[0])
    pixels = rng.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def add(client: TestClient, data: bytes, metadata: object = None) -> Any:
    """Adds an image, under a name that nobody should believe."""
    form = {} if metadata is None else {"metadata": json.dumps(metadata)}
    files = {"image": ("../../etc/passwd", data, "image/png")}
    return client.post("/api/images", files=files, data=form)
