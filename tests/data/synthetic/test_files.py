from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.data.synthetic import (
    draw_parameters,
    read_actions,
    save_drawn_faces,
)


def test_read_actions__are_those_that_were_drawn(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    save_drawn_faces(folder, 14, num_identities=2, seed=3, size=16, labelled=True)
    actions = read_actions(folder)
    names = LabelledFolder(folder).names
    assert set(actions) == set(names)
    drawn = draw_parameters(14, num_identities=2, seed=3).actions
    for name in names:
        face = int(Path(name).stem.split("_")[1])
        np.testing.assert_allclose(actions[name], drawn[face], atol=1e-6)


def test_read_actions__of_other_folders(tmp_path: Path) -> None:
    assert read_actions(tmp_path) == {}
    (tmp_path / "faces.csv").write_text("path,label\na.jpg,happy\n")
    assert read_actions(tmp_path) == {}
    (tmp_path / "drawn_faces.json").write_text("{}")
    with pytest.raises(InputError, match=r"faces\.csv: damaged"):
        read_actions(tmp_path)
