from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge.core.errors import InputError
from helpers import save_image
from lightly_contrawarp.data.sets import open_folder
from lightly_contrawarp.data.synthetic import (
    ACTIONS,
    draw_parameters,
    save_drawn_faces,
)


def test_targets_are_the_actions_that_were_drawn(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    save_drawn_faces(folder, 42, num_identities=3, seed=3, size=16, labelled=True)
    drawn = draw_parameters(42, num_identities=3, seed=3).actions.numpy()
    images = open_folder(folder)
    faces = [int(Path(name).stem.split("_")[1]) for name in images.names]
    assert list(images.targets) == list(ACTIONS)
    for number, values in enumerate(images.targets.values()):
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, drawn[faces, number], atol=1e-6)


def test_targets_of_other_folders(tmp_path: Path) -> None:
    for name in ("happy", "sad"):
        save_image(tmp_path / name / "1.jpg")
    assert open_folder(tmp_path).targets == {}
    (tmp_path / "faces.csv").write_text("path,label\na.jpg,happy\n")
    assert open_folder(tmp_path).targets == {}
    (tmp_path / "drawn_faces.json").write_text("{}")
    with pytest.raises(InputError, match=r"faces\.csv: damaged"):
        open_folder(tmp_path)
