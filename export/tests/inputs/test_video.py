from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from videos import FPS, save_video

from contrawarp_edge import InputError
from contrawarp_edge.inputs.originals import read_original
from contrawarp_edge.inputs.video import (
    estimate_frames,
    frame_at,
    frame_path,
    frame_times,
    frames,
    is_video,
    split_frame_path,
)

av = pytest.importorskip("av")


def brightness(image: Image.Image) -> float:
    return float(np.asarray(image).mean())


LEVELS = [6 * n for n in range(40)]  # four seconds


@pytest.mark.parametrize("name", ["a.mp4", "b.mkv", "c.mov"])
@pytest.mark.parametrize("every", [0.1, 0.25, 1.0, 1.7, 3.9, 10.0])
def test_shows_what_a_player_shows(tmp_path: Path, name: str, every: float) -> None:
    video = save_video(tmp_path / name, LEVELS)
    found = list(frames(video, every))
    times = [k * every for k in range(40) if k * every <= 3.9 + 1e-9]
    assert [time for time, _ in found] == pytest.approx(times)
    assert frame_times(video, every) == pytest.approx(times)
    for time, image in found:
        assert image.size == (48, 32)
        expected = LEVELS[int(time * FPS + 1e-6)]
        assert brightness(image) == pytest.approx(expected, abs=2.9)
        at = frame_at(video, float(f"{time:.3f}"))
        assert brightness(at) == pytest.approx(brightness(image), abs=0.5)
    assert abs(estimate_frames(video, every) - len(times)) <= 1


def test_uneven_times_and_a_late_start(tmp_path: Path) -> None:
    video = save_video(tmp_path / "a.mkv", [20, 120, 220], [0, 3, 20], start=50)
    found = [(time, round(brightness(im), -1)) for time, im in frames(video, 0.5)]
    assert found == [(0, 20), (0.5, 120), (1, 120), (1.5, 120), (2, 220)]
    assert frame_times(video, 0.5) == [0, 0.5, 1, 1.5, 2]


def test_paths_of_frames() -> None:
    assert frame_path("a/b.mp4", 12.5) == "a/b.mp4#t=12.500"
    assert split_frame_path("a/b.mp4#t=12.500") == ("a/b.mp4", 12.5)
    assert split_frame_path("a\nb#t=1.000.mp4#t=0.040") == ("a\nb#t=1.000.mp4", 0.04)
    for path in ("a/b.mp4", "b.mp4#t=12", "#t=1.000", "b.mp4#t=1.000x"):
        assert split_frame_path(path) is None
    assert is_video(Path("A.MP4"))
    assert not is_video(Path("a.gif"))


def test_original_of_a_hit(tmp_path: Path) -> None:
    video = save_video(tmp_path / "a.mp4", LEVELS)
    image = read_original(frame_path(video, 2.0))
    assert brightness(image) == pytest.approx(120, abs=2.9)
    file = tmp_path / "b#t=1.000"  # an image with a strange name
    Image.new("RGB", (3, 4), "red").save(file, "PNG")
    assert read_original(file).size == (3, 4)
    with pytest.raises(InputError, match="none"):
        read_original(tmp_path / "none.mp4#t=1.000")


def test_damaged_videos(tmp_path: Path) -> None:
    video = save_video(tmp_path / "a.mkv", LEVELS)
    content = video.read_bytes()
    for name, data in {
        "text.mp4": b"hello" * 100,
        "empty.mp4": b"",
        "head.mkv": content[:200],
    }.items():
        bad = tmp_path / name
        bad.write_bytes(data)
        with pytest.raises(InputError, match=name):
            list(frames(bad, 1.0))
        assert estimate_frames(bad, 1.0) == 1
    half = tmp_path / "half.mkv"
    half.write_bytes(content[: len(content) // 2])
    assert 0 < len(list(frames(half, 0.1))) < 40
    with av.open(str(tmp_path / "sound.mka"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(InputError, match="no pictures"):
        list(frames(tmp_path / "sound.mka", 1.0))


def test_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = save_video(tmp_path / "a.mp4", LEVELS)
    monkeypatch.setattr("contrawarp_edge.inputs.video.MAX_PIXELS", 1000)
    with pytest.raises(InputError, match="48 x 32 pixels are more than"):
        list(frames(video, 1.0))


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = save_video(tmp_path / "a.mp4", LEVELS)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"contrawarp-edge\[video\]"):
        list(frames(video, 1.0))
