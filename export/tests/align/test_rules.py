from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pretended_faces import face_at

from contrawarp_edge.align import rules as module
from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.align.detector import Face
from contrawarp_edge.align.rules import Rules, align_one, align_photo
from contrawarp_edge.core.errors import InputError

PHOTO = np.full((200, 400, 3), 90, np.uint8)
See = Callable[..., None]


@pytest.fixture
def see(monkeypatch: pytest.MonkeyPatch) -> See:
    def set_faces(*faces: Face) -> None:
        monkeypatch.setattr(module, "find_faces", lambda pixels, **_: list(faces))

    return set_faces


def test_no_face(see: See) -> None:
    see()
    assert align_photo(PHOTO, Rules()) == ([], ["no face found"])
    with pytest.raises(InputError, match="no face found"):
        align_one(PHOTO, Rules())


def test_the_largest_or_all(see: See) -> None:
    see(face_at(100, 100, 90), face_at(250, 80, 50))
    (largest,), reasons = align_photo(PHOTO, Rules(size=32))
    assert largest.face.box[0] == pytest.approx(64)
    assert largest.pixels.shape == (32, 32, 3)
    assert not reasons
    np.testing.assert_allclose(largest.points, FACE_CROP.five_points)
    faces, reasons = align_photo(PHOTO, Rules(all_faces=True))
    assert [face.face.box[0] for face in faces] == pytest.approx([64, 230])
    assert not reasons


def test_tiny(see: See) -> None:
    see(face_at(100, 100, 25))  # eyes 9.5 pixels apart
    faces, reasons = align_photo(PHOTO, Rules(min_eyes=10))
    assert not faces
    assert reasons == ["face too small: 9.5 pixels between the eyes, 10 are needed"]
    assert align_photo(PHOTO, Rules(min_eyes=9))[0]


def test_all_are_judged_one_by_one(see: See) -> None:
    see(face_at(100, 100, 90), face_at(250, 80, 20))
    faces, reasons = align_photo(PHOTO, Rules(all_faces=True))
    assert len(faces) == len(reasons) == 1


@pytest.mark.parametrize("turn", [0.0, 1.5, 3.0, -2.0])
@pytest.mark.parametrize(("nose", "reason"), [(0.12, None), (0.08, "from the side")])
def test_profile(see: See, turn: float, nose: float, reason: str | None) -> None:
    """The nose tip comes close to an eye's place, however the photo is turned."""
    face = face_at(200, 100, 80, turn=turn)
    left, right = face.points[:2]
    down = np.array([left[1] - right[1], right[0] - left[0]])
    face.points[2] = left + nose * (right - left) + 0.6 * down
    see(face)
    _, reasons = align_photo(PHOTO, Rules())
    assert reasons == ([] if reason is None else [f"face seen {reason}"])


@pytest.mark.parametrize(("x", "is_cut"), [(30, False), (18, True), (395, True)])
def test_cut_off(see: See, x: float, is_cut: bool) -> None:
    # The box is 0.8 * 80 = 64 pixels wide; a fifth is 13 of them.
    see(face_at(x, 100, 80))
    faces, reasons = align_photo(PHOTO, Rules())
    assert len(faces) == (not is_cut)
    assert [reason.split(":")[0] for reason in reasons] == ["face cut off"] * is_cut


@pytest.mark.parametrize("turn", [0.5, 1.6, 3.1, -1.0])
def test_turned_faces_come_out_upright(see: See, turn: float) -> None:
    photo = PHOTO.copy()
    face = face_at(200, 100, 100, turn=turn)
    for x, y in face.points[:2]:  # white eyes
        photo[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4] = 255
    see(face)
    crop = align_one(photo, Rules(size=100))[..., 0]
    y, x = np.nonzero(crop > 200)
    assert abs(y - 38).max() < 7
    assert set(np.unique(np.abs(x - 50) // 10)) <= {1, 2}
