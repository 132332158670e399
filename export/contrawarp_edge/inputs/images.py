"""Finding and decoding image files, the same way for training, export and search."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from contrawarp_edge.core.errors import InputError, NotFoundError
from contrawarp_edge.core.optional import optional
from contrawarp_edge.core.regular_files import check_regular
from contrawarp_edge.core.text import printable

MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decoded (decompression bombs)."""

FACES_CSV = "faces.csv"
"""What ``contrawarp-edge align`` writes about the crops of a folder."""

CONTACT_SHEET = "contact.png"
"""Its picture of many crops; beside ``FACES_CSV`` it is not one of the images."""

SKIPPED_TSV = "skipped.tsv"
"""Its list of what it did not use: lines of ``skipped_line``."""

_ABOUT_CROPS = {FACES_CSV, CONTACT_SHEET, SKIPPED_TSV}

# A large picture in one piece, whose memory goes back to the system. Pillow's pieces of
# 16 MB would stay with the thread that decoded it.
Image.core.set_block_size(256 << 20)  # type: ignore[attr-defined]

# Formats that Pillow lists as readable although it only identifies them, or calls
# an external program to render them.
_NOT_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}


@lru_cache(maxsize=1)
def image_formats() -> tuple[str, ...]:
    """Names of the formats that can be decoded, such as ``"PNG"``.

    Those of Pillow itself, and HEIF if the extra ``heif`` is installed.
    """
    if heif := optional("pillow_heif"):
        heif.register_heif_opener()
    Image.init()
    return tuple(name for name in Image.OPEN if name not in _NOT_PICTURES)


def image_extensions() -> frozenset[str]:
    """The lower-case file extensions, with their dot, of ``image_formats``."""
    formats = image_formats()
    return frozenset(
        extension
        for extension, name in Image.registered_extensions().items()
        if name in formats
    )


def iter_images(
    root: Path,
    extensions: frozenset[str] | None = None,
    on_other: Callable[[Path], None] = lambda path: None,
) -> Iterator[Path]:
    """Yields the image files below a folder in a fixed order.

    Args:
        root: A folder, searched with all its sub-folders; hidden files and folders
            are passed over, and a folder that several links lead to is searched
            once. The contact sheet of `align` is passed over. A single file is
            yielded as it is.
        extensions: Lower-case extensions of the files to yield; those of images if
            None.
        on_other: Called with each file of another kind, apart from what `align` wrote
            about its crops.

    Yields:
        Paths that begin with ``root``, sorted within each folder. A folder that cannot
        be listed is yielded itself, so that whoever reads images comes to know of it:
        it is one image that cannot be read.

    Raises:
        InputError: If ``root`` does not exist.
    """
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise NotFoundError(f"{root}: no such file or folder")
    extensions = image_extensions() if extensions is None else extensions
    seen: set[str] = set()
    unlisted: list[Path] = []

    def on_error(error: OSError) -> None:
        unlisted.append(Path(error.filename))

    for folder, subfolders, names in os.walk(root, onerror=on_error, followlinks=True):
        yield from unlisted
        unlisted.clear()
        if (real := os.path.realpath(folder)) in seen:  # a link that leads in a circle
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if name[0] != ".")
        is_ours = FACES_CSV in names
        for name in sorted(names):
            if name[0] == "." or (is_ours and name in _ABOUT_CROPS):
                continue
            path = Path(folder, name)
            if path.suffix.lower() in extensions:
                yield path
            else:
                on_other(path)
    yield from unlisted


def skipped_line(path: Path | str, reason: str) -> str:
    """A line of ``SKIPPED_TSV``: a path, a tab and a reason."""
    return f"{printable(path)}\t{printable(reason)}\n"


def read_skipped(file: Path) -> dict[str, str]:
    """Reads a list of such lines; the reasons by path, as ``printable`` shows it."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines)


def read_rgb(source: Path | str | BinaryIO, *, name: str | None = None) -> Image.Image:
    """Decodes a picture to upright 8-bit RGB.

    EXIF rotation is applied, 16-bit greys are scaled to 8 bits, CMYK is converted,
    transparency is dropped, and the first frame of an animation is taken.

    Args:
        source: A path or an open binary file.
        name: What messages call the picture; the path if left out.

    Returns:
        An image of mode ``RGB``.

    Raises:
        InputError: If the file cannot be read or decoded, or has more than
            ``MAX_PIXELS`` pixels. The message names the file.
    """
    if name is None:
        name = str(source) if isinstance(source, (Path, str)) else "image"
    if isinstance(source, (Path, str)):
        check_regular(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own pixel limit follows
            with Image.open(source, formats=image_formats()) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise InputError(
                        f"{name}: {image.width} x {image.height} pixels are more than "
                        f"the {MAX_PIXELS:,} allowed; scale it down first"
                    )
                image.load()
                return to_rgb(_upright(image))
    except InputError:
        raise
    except Exception as error:  # decoders raise almost any type on broken data
        reason = getattr(error, "strerror", None) or str(error).split(" <")[0]
        if isinstance(error, UnidentifiedImageError):
            reason = "not an image that Pillow can read"
        raise InputError(f"{name}: {reason or type(error).__name__}") from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block says nothing against the pixels
        return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Converts an open image of any mode to 8-bit ``RGB``.

    Pillow clips modes of more than 8 bits at 255 instead of scaling them. Here, greys
    with values above 255 are taken for 16-bit, and floats up to 1 for fractions.
    """
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0)
        highest = values.max(initial=0.0)
        if highest > 255:
            values = values / 257.0
        elif image.mode == "F" and highest <= 1:
            values = values * 255.0
        image = Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
    return image.convert("RGB")
