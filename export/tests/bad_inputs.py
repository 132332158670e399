"""A folder full of what people have by accident among their images."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

FORMATS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "JPEG2000", "ICO"]


def pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(40, 256, (24, 18, 3), dtype=np.uint8)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in (*chunks, (b"IEND", b"")):
        checksum = zlib.crc32(kind + content)
        data += struct.pack(">I", len(content)) + kind + content
        data += struct.pack(">I", checksum)
    return data


def header(width: int, height: int) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)


def write_good(folder: Path) -> dict[Path, np.ndarray]:
    """Unusual images that can be used, with the pixels that have to be seen."""
    folder.mkdir()
    seen: dict[Path, np.ndarray] = {}
    plain = Image.fromarray(pixels())

    def save(
        name: str, image: Image.Image, expected: np.ndarray, **how: object
    ) -> None:
        image.save(folder / name, **how)  # type: ignore[arg-type]
        seen[folder / name] = expected

    cmyk = plain.convert("CMYK")
    save("cmyk.tif", cmyk, np.asarray(cmyk.convert("RGB")))
    grey = (np.asarray(plain.convert("L")).astype(np.uint16)) * 257
    rgb = np.repeat((grey // 257).astype(np.uint8)[:, :, None], 3, axis=2)
    save("16-bit.png", Image.fromarray(grey), rgb)
    frames = [Image.fromarray(pixels(seed)) for seed in range(3)]
    save("animated.png", frames[0], pixels(0), save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    save("rotated.png", plain, np.rot90(pixels(), -1), exif=exif)
    exif[0x0112] = 77
    save("no-such-rotation.png", plain, pixels(), exif=exif)
    save("really-a-png.jpg", plain, pixels(), format="PNG")
    save("new\nline \x1b[31m.png", plain, pixels())
    save("pal.png", plain.quantize(8), np.asarray(plain.quantize(8).convert("RGB")))
    one = Image.new("RGB", (1, 1), (9, 8, 7))
    save("one-pixel.bmp", one, np.asarray(one))
    return seen


def write_bad(folder: Path) -> set[Path]:
    """Files that cannot be used; none of them may stop a run."""
    folder.mkdir()
    (folder / "zero.png").touch()
    (folder / "text.jpg").write_text("hello")
    rows = zlib.compress(bytes(2501 * 20_000), 9)
    (folder / "bomb.png").write_bytes(png(header(20_000, 20_000), (b"IDAT", rows)))
    text = b"Comment\0\0" + zlib.compress(bytes(80_000_000), 9)
    small = (b"IDAT", zlib.compress(bytes(2 * 8)))
    (folder / "text-bomb.png").write_bytes(png(header(8, 8), (b"zTXt", text), small))
    (folder / "no-size.png").write_bytes(png(header(0, 0), small))
    (folder / "huge.bmp").write_bytes(
        b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 2**30, 9, 1, 24, *[0] * 6)
    )
    os.mkfifo(folder / "pipe.png")
    (folder / "dangling.png").symlink_to(folder / "nowhere.png")
    (folder / "circle.png").symlink_to(folder / "circle.png")
    Image.fromarray(pixels()).save(os.fsencode(folder) + b"/\xff\xfe.png")
    (folder / "folder.jpg").mkdir()  # is looked into, and is empty
    found = set(folder.iterdir()) - {folder / "folder.jpg"}
    return found


def write_damaged(folder: Path, count: int, seed: int = 0) -> None:
    """Images of many formats with bytes cut off or changed; some can still be read."""
    folder.mkdir()
    rng = random.Random(seed)
    for number in range(count):
        kind = FORMATS[number % len(FORMATS)]
        buffer = io.BytesIO()
        Image.fromarray(pixels(number)).save(buffer, kind)
        data = bytearray(buffer.getvalue())
        if number % 3 == 0:
            del data[rng.randrange(len(data)) :]
        for _ in range(number % 5):
            if data:
                data[rng.randrange(min(len(data), 300))] = rng.randrange(256)
        (folder / f"{number:04}.{kind.lower()}").with_suffix(
            {"JPEG2000": ".jp2", "JPEG": ".jpg"}.get(kind, f".{kind.lower()}")
        ).write_bytes(data)
