"""The parameters of drawn faces, the data set, and the folder they are saved to."""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

from lightly_contrawarp.data import synthetic
from lightly_contrawarp.data.faces_csv import csv_header
from lightly_contrawarp.data.synthetic import (
    ACTION_RANGES,
    ACTIONS,
    EMOTIONS,
    DrawnFaces,
    draw_parameters,
    save_drawn_faces,
)


def test_same_seed_gives_same_bytes() -> None:
    first, second = (DrawnFaces(20, 5, seed=7, size=48) for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.actions, second.actions)
    assert torch.equal(first.labels, second.labels)


def test_identities_keep_their_traits_and_differ_between_seeds() -> None:
    first = draw_parameters(60, num_identities=10, seed=0)
    second = draw_parameters(60, num_identities=10, seed=1)
    rows = [{tuple(row) for row in p.traits.tolist()} for p in (first, second)]
    assert len(rows[0]) == len(rows[1]) == 10
    assert not rows[0] & rows[1]
    for identity in range(10):
        of_one = first[first.identities == identity]
        assert torch.equal(of_one.traits, of_one.traits[:1].expand_as(of_one.traits))


def test_emotions_and_identities_are_balanced() -> None:
    faces = draw_parameters(7 * 30 + 3, num_identities=8, seed=3)
    for values in (faces.labels, faces.identities):
        counts = torch.bincount(values)
        assert counts.max() - counts.min() <= 1
    assert faces.labels.dtype == faces.identities.dtype == torch.int64


def test_values_are_within_their_ranges() -> None:
    faces = draw_parameters(500, num_identities=100, seed=5)
    assert faces.actions.shape == (500, len(ACTIONS))
    low, high = torch.tensor(list(ACTION_RANGES.values())).T
    assert ((faces.actions >= low) & (faces.actions <= high)).all()
    assert ((faces.colours >= 0) & (faces.colours <= 1)).all()
    assert all(torch.isfinite(t).all() for t in (faces.traits, faces.nuisances))


@pytest.mark.parametrize(
    "arguments",
    [(-1, 1, 0), (1, 0, 0), (1, 1, -1)],
    ids=["faces", "identities", "seed"],
)
def test_rejects_impossible_numbers(arguments: tuple[int, int, int]) -> None:
    num_faces, num_identities, seed = arguments
    with pytest.raises(ValueError, match="drawn faces need"):
        draw_parameters(num_faces, num_identities=num_identities, seed=seed)


def test_actions_tell_the_emotion_and_identities_do_not() -> None:
    faces = draw_parameters(1400, num_identities=40, seed=6)
    labels = faces.labels.numpy()

    def accuracy(features: np.ndarray) -> float:
        probe = LogisticRegression(max_iter=500).fit(features[:1000], labels[:1000])
        return float(probe.score(features[1000:], labels[1000:]))

    assert accuracy(faces.actions.numpy()) > 0.97
    assert accuracy(np.eye(40)[faces.identities.numpy()]) < 0.25


def test_dataset_items() -> None:
    faces = DrawnFaces(14, 5, seed=0, size=32)
    assert len(faces) == 14
    assert faces.images.shape == (14, 3, 32, 32)
    assert faces.images.dtype == torch.uint8
    assert faces.classes == EMOTIONS
    image, label = faces[3]
    assert isinstance(image, Image.Image)
    assert (image.mode, image.size) == ("RGB", (32, 32))
    assert label == int(faces.labels[3])
    assert np.array_equal(np.asarray(image), faces.images[3].permute(1, 2, 0).numpy())

    faces.transform = lambda image: image.size
    assert faces[3] == ((32, 32), label)


def save(folder: Path, **changes: int) -> None:
    settings = {"num_identities": 4, "seed": 0, "size": 32, "labelled": True} | changes
    save_drawn_faces(folder, settings.pop("num_faces", 14), **settings)  # type: ignore[arg-type]


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


@pytest.mark.parametrize("labelled", [True, False])
def test_save_layout(tmp_path: Path, labelled: bool) -> None:
    folder = tmp_path / "deep" / "faces"
    save(folder, labelled=labelled)
    expected = draw_parameters(14, num_identities=4, seed=0)
    with (folder / "faces.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert list(rows[0]) == csv_header("label", "identity", *ACTIONS)
    assert len(rows) == 14
    for index, row in enumerate(rows):
        emotion = EMOTIONS[int(expected.labels[index])]
        name = f"id{int(expected.identities[index]):05d}_{index:06d}.jpg"
        assert row["path"] == (f"{emotion}/{name}" if labelled else name)
        assert row["label"] == emotion
        assert int(row["identity"]) == int(expected.identities[index])
        actions = [float(row[action]) for action in ACTIONS]
        assert actions == pytest.approx(expected.actions[index].tolist(), abs=1e-5)
        with Image.open(folder / row["path"]) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (32, 32))
    assert len(list(folder.rglob("*.jpg"))) == 14
    assert [p.name for p in folder.parent.iterdir()] == ["faces"]


def test_save_skips_a_complete_folder_and_refuses_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "first")
    save(tmp_path / "second")
    before = digest(tmp_path / "first")
    assert digest(tmp_path / "second") == before

    def must_not_render(*args: object, **kwargs: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(synthetic.files, "render_faces", must_not_render)
    save(tmp_path / "first")
    assert digest(tmp_path / "first") == before

    with pytest.raises(FileExistsError, match="something other"):
        save(tmp_path / "first", seed=1)
    next((tmp_path / "first").rglob("*.jpg")).unlink()
    with pytest.raises(FileExistsError, match="something other"):
        save(tmp_path / "first")


def test_save_leaves_nothing_when_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(synthetic.files, "_write_table", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path / "faces")
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "faces").mkdir()
    save(tmp_path / "faces")
    assert len(list((tmp_path / "faces").rglob("*.jpg"))) == 14
