from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from obstacles import silent_pipe
from PIL import Image
from PIL.PpmImagePlugin import PpmImageFile

from contrawarp_edge import InputError
from contrawarp_edge.inputs.images import image_formats, iter_images, read_rgb
from contrawarp_edge.inputs.originals import read_original
from contrawarp_edge.inputs.video import estimate_frames


@pytest.fixture
def picture() -> Image.Image:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return small.resize((64, 48))


def difference(path: Path, expected: Image.Image) -> float:
    found = np.asarray(read_rgb(path), np.float64)
    assert found.shape == (expected.height, expected.width, 3)
    return float(np.abs(found - np.asarray(expected.convert("RGB"))).mean())


@pytest.mark.parametrize(
    "name", ["a.png", "a.bmp", "a.ppm", "a.tif", "a.webp", "a.jpg"]
)
def test_common_formats(tmp_path: Path, picture: Image.Image, name: str) -> None:
    options = {"lossless": True} if name == "a.webp" else {}
    picture.save(tmp_path / name, **options)
    assert difference(tmp_path / name, picture) < (5 if name == "a.jpg" else 0.1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_modes(tmp_path: Path, picture: Image.Image, mode: str) -> None:
    converted = picture.convert(mode)
    converted.save(tmp_path / "a.png")
    assert difference(tmp_path / "a.png", converted) == 0


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(tmp_path: Path, picture: Image.Image, name: str) -> None:
    picture.convert("CMYK").save(tmp_path / name, quality=98)
    assert difference(tmp_path / name, picture) < 2


@pytest.mark.parametrize(
    ("name", "dtype", "factor"),
    [
        ("a.png", np.uint16, 257),
        ("a.tif", np.uint16, 257),
        ("a.png", np.uint16, 1),
        ("a.tif", np.int32, 257),
        ("a.tif", np.float32, 1 / 255),
        ("a.tif", np.float32, 1),
    ],
)
def test_deep_greys_are_scaled(
    tmp_path: Path, picture: Image.Image, name: str, dtype: type, factor: float
) -> None:
    grey = picture.convert("L")
    values = (np.asarray(grey) * np.float64(factor)).astype(dtype)
    Image.fromarray(values).save(tmp_path / name)
    assert difference(tmp_path / name, grey) < 0.5


def test_not_a_number_becomes_black(tmp_path: Path) -> None:
    values = np.array([[np.nan, 255.0], [np.inf, 100.0]], np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    grey = np.asarray(read_rgb(tmp_path / "a.tif"))[..., 0]
    np.testing.assert_array_equal(grey, [[0, 255], [0, 100]])


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_first_frame_of_an_animation(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    red, _, blue = np.asarray(read_rgb(tmp_path / name)).mean(axis=(0, 1))
    assert red > 250
    assert blue < 5


def test_exif_rotation(tmp_path: Path, picture: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=exif)
    assert difference(tmp_path / "a.png", picture.rotate(-90, expand=True)) == 0


def test_damaged_exif_is_ignored(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "a.png", exif=b"junk")
    assert difference(tmp_path / "a.png", picture) == 0


def png_of_size(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


BAD_FILES = {
    "empty.jpg": (b"", "not an image"),
    "text.jpg": (b"hello", "not an image"),
    "script.jpg": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "not an image",
    ),
    "large.png": (png_of_size(9000), "scale it down"),
    "bomb.png": (png_of_size(60000), "limit"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_named(tmp_path: Path, name: str) -> None:
    data, reason = BAD_FILES[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"{name}: .*{reason}"):
        read_rgb(tmp_path / name)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_truncated(tmp_path: Path, picture: Image.Image, name: str) -> None:
    path = tmp_path / name
    picture.save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="truncated"):
        read_rgb(path)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.png: No such file"):
        read_rgb(tmp_path / "none.png")
    with pytest.raises(InputError, match="directory"):
        read_rgb(tmp_path)


def test_iter_images(tmp_path: Path) -> None:
    for name in [
        "b.PNG",
        "a.jpg",
        "notes.txt",
        ".hidden.png",
        "sub/c.webp",
        ".git/d.png",
    ]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub" / "circle").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in iter_images(tmp_path)]
    assert found == ["a.jpg", "b.PNG", "sub/c.webp"]
    with pytest.raises(InputError, match="no such"):
        list(iter_images(tmp_path / "none"))


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    with silent_pipe(tmp_path / "a.png") as pipe:
        for read in (read_rgb, read_original):
            with pytest.raises(InputError, match=r"a\.png: not a regular file"):
                read(pipe)
    with silent_pipe(tmp_path / "clip.mp4") as pipe:
        assert estimate_frames(pipe, 1.0) == 1
        with pytest.raises(InputError, match=r"clip\.mp4: not a regular file"):
            read_original(f"{pipe}#t=1.000")
    with pytest.raises(InputError, match="/dev/zero: not a regular file"):
        read_rgb("/dev/zero")


class HeifFile(PpmImageFile):
    """Pretends to be one."""

    format = "HEIF"


def test_heif_with_its_extra(
    tmp_path: Path,
    picture: Image.Image,
    monkeypatch: pytest.MonkeyPatch,
    fresh_formats: None,
) -> None:
    picture.save(tmp_path / "a.ppm")
    heic = (tmp_path / "a.ppm").rename(tmp_path / "a.HEIC")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert list(iter_images(tmp_path)) == []

    def register() -> None:
        Image.register_open("HEIF", HeifFile)
        Image.register_extension("HEIF", ".heic")

    extra = SimpleNamespace(register_heif_opener=register)
    monkeypatch.setitem(sys.modules, "pillow_heif", extra)  # type: ignore[arg-type]
    image_formats.cache_clear()
    assert "HEIF" in image_formats()
    assert list(iter_images(tmp_path)) == [heic]
    assert difference(heic, picture) == 0


def test_real_heif(tmp_path: Path, picture: Image.Image, fresh_formats: None) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    picture.save(tmp_path / "a.heic", quality=100, chroma=444)
    assert list(iter_images(tmp_path)) == [tmp_path / "a.heic"]
    assert difference(tmp_path / "a.heic", picture) < 5


_DECODING = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from contrawarp_edge.inputs.images import read_rgb

def in_use():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def decode():
    assert np.asarray(read_rgb(sys.argv[1])).nbytes == 36_000_000

with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
    for thread in (first, second):
        thread.submit(decode).result()  # what stays is loaded with it
    before = in_use()
    for thread in (first, second) * 2:
        thread.submit(decode).result()
    print(in_use() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_memory_of_large_pictures_is_given_back(tmp_path: Path) -> None:
    """Also that of pictures which other threads decode; in a process of its own."""
    path = tmp_path / "large.jpg"
    Image.new("RGB", (4000, 3000), "teal").save(path)
    command = [sys.executable, "-c", _DECODING, str(path)]
    grown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(grown.stdout) < 36_000_000
