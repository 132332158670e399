from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.face_box import Box, crop_face, read_face

PIXELS = np.arange(20 * 30, dtype=np.uint32).reshape(20, 30).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((4, 5, 10, 11), (5, 11), (4, 10)),  # a square as it is
        ((4, 5, 8, 15), (5, 15), (1, 11)),  # widened to a square
        ((0, 5, 4, 15), (5, 15), (0, 10)),  # and moved inside
        ((-6, -4, 8, 10), (0, 14), (0, 14)),  # sticks out at the upper left
        ((26, 16, 34, 24), (12, 20), (22, 30)),  # at the lower right
        ((0, 0, 30, 20), (0, 20), (0, 30)),  # no such square fits
        ((4.4, 5.4, 10.4, 11.4), (5, 11), (4, 10)),
        ((4, 5, 4.2, 5.2), (5, 6), (4, 5)),
    ],
)
def test_crop_face(box: Box, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    crop = crop_face(Image.fromarray(PIXELS), box)
    np.testing.assert_array_equal(crop, PIXELS[slice(*rows), slice(*columns)])


@pytest.mark.parametrize(
    "box",
    [
        (4, 5, 4, 9),
        (9, 5, 4, 9),
        (30, 0, 40, 10),
        (0, -9, 9, 0),
        (float("nan"), 0, 5, 5),
        (0, 0, 5, float("nan")),
    ],
)
def test_crop_face__no_face(box: Box) -> None:
    with pytest.raises(InputError, match="empty or outside its 30 x 20 image"):
        crop_face(Image.fromarray(PIXELS), box)


def test_read_face(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    face = read_face(path, (4, 5, 10, 11), "a.png face 2")
    assert (face.mode, face.size) == ("RGB", (6, 6))
    with pytest.raises(InputError, match=r"^a\.png face 2: the face box"):
        read_face(path, (0, 0, 0, 0), "a.png face 2")
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"^a\.png face 2: not an image"):
        read_face(path, (4, 5, 10, 11), "a.png face 2")
