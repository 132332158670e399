from __future__ import annotations

import json

import numpy as np
import pytest

from contrawarp_edge.align.crop import FACE_CROP, FIVE_POINTS, CropContract
from contrawarp_edge.core.errors import InputError


def test_survives_json() -> None:
    values = json.loads(json.dumps(FACE_CROP.to_dict()))
    assert CropContract.from_dict(values) == FACE_CROP


def test_stays_as_it_is_stored_in_files() -> None:
    assert FACE_CROP.name == "tight-face-v1"
    assert FACE_CROP.face_box == (0.1, 0.12, 0.9, 0.96)
    np.testing.assert_allclose(
        FACE_CROP.five_points,
        [[0.31, 0.38], [0.69, 0.38], [0.5, 0.57], [0.36, 0.78], [0.64, 0.78]],
    )
    assert FACE_CROP.interocular == pytest.approx(0.38)


@pytest.mark.parametrize(
    "change",
    [
        {"landmarks": None},
        {"landmarks": dict.fromkeys(FIVE_POINTS[1:], (0.5, 0.5))},
        {"landmarks": dict.fromkeys(FIVE_POINTS, (0.5, 0.5))},
        {"landmarks": dict.fromkeys(FIVE_POINTS, ("x", 0.5))},
        {"face_box": (0, 1)},
    ],
)
def test_refuses_what_names_no_points(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match="crop contract"):
        CropContract.from_dict({**FACE_CROP.to_dict(), **change})
