from __future__ import annotations

from pathlib import Path

import pytest

from contrawarp_edge.inputs.originals import original_exists


def test_whether_an_original_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "odd.mp4#t=1.000").touch()
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    for name in ("clip.mp4", "clip.mp4#t=1.000", "odd.mp4#t=1.000", "dangling.jpg"):
        assert original_exists(name), name
    for name in ("a.jpg", "b.mp4#t=1.000", "clip.mp4/a.jpg", "p/a.jpg", "a\0b"):
        assert not original_exists(name), name
    for name in ("a" * 300, "loop/a"):
        if name == "loop/a":
            (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(OSError):  # noqa: PT011 which one is not said
            original_exists(name)
