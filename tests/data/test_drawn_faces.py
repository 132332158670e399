import csv
import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lightly_contrawarp.crop import FACE_CROP
from lightly_contrawarp.data import drawn_faces
from lightly_contrawarp.data.drawn_faces import (
    ACTION_RANGES,
    ACTIONS,
    EMOTIONS,
    PROTOTYPES,
    DrawnFaces,
    FaceParameters,
    draw_parameters,
    render_faces,
    save_drawn_faces,
)
from lightly_contrawarp.data.drawn_faces.traits import NUISANCES, TRAITS

SIZE = 64


@pytest.fixture(scope="module")
def people() -> FaceParameters:
    """Twelve people at rest, looking straight into an even light, without glasses."""
    faces = draw_parameters(12, num_identities=12, seed=4)
    nuisances = torch.zeros_like(faces.nuisances)
    for name in ("scale", "exposure"):
        nuisances[:, NUISANCES.index(name)] = 1.0
    traits = faces.traits.clone()
    traits[:, TRAITS.index("glasses")] = 0.0
    return dataclasses.replace(
        faces,
        nuisances=nuisances,
        traits=traits,
        actions=torch.zeros_like(faces.actions),
    )


def render_with(people: FaceParameters, **actions: float) -> Tensor:
    """Gray images ``(N, SIZE, SIZE)`` in [0, 1] with some actions changed."""
    values = people.actions.clone()
    for name, value in actions.items():
        values[:, ACTIONS.index(name)] = value
    images = render_faces(dataclasses.replace(people, actions=values), size=SIZE)
    return images.float().mean(1) / 255.0


def centre_of(weights: Tensor) -> tuple[float, float]:
    """Mean x and y, as fractions of the image, of the weight of all images."""
    at = (torch.arange(SIZE) + 0.5) / SIZE
    total = weights.sum((0, 1, 2))
    x = (weights.sum((0, 1)) * at).sum() / total
    y = (weights.sum((0, 2)) * at).sum() / total
    return float(x), float(y)


def test_same_seed_gives_same_bytes() -> None:
    first, second = (DrawnFaces(20, 5, seed=7, size=48) for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.actions, second.actions)
    assert torch.equal(first.labels, second.labels)


@pytest.mark.parametrize("size", [33, 96])
def test_face_does_not_depend_on_the_batch(size: int) -> None:
    faces = draw_parameters(24, num_identities=9, seed=1)
    expected = render_faces(faces, size=size, batch_size=24)
    for batch_size in (1, 5, 16):
        actual = render_faces(faces, size=size, batch_size=batch_size)
        assert torch.equal(actual, expected)


def test_face_does_not_depend_on_the_faces_after_it() -> None:
    many = draw_parameters(50, num_identities=12, seed=2)
    few = draw_parameters(17, num_identities=12, seed=2)
    for field in dataclasses.fields(FaceParameters):
        assert torch.equal(getattr(few, field.name), getattr(many[:17], field.name))
    chosen = torch.tensor([3, 11])
    assert torch.equal(
        render_faces(few, size=32)[chosen], render_faces(many[chosen], size=32)
    )


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


def test_renders_no_faces_and_rejects_tiny_images() -> None:
    none = draw_parameters(0, num_identities=3, seed=0)
    assert render_faces(none, size=32).shape == (0, 3, 32, 32)
    with pytest.raises(ValueError, match="size >= 16"):
        render_faces(none, size=8)


def test_smile_changes_the_lower_half(people: FaceParameters) -> None:
    change = (render_with(people, smile=1) - render_with(people, smile=-1)).abs()
    lower = change[:, SIZE // 2 :].sum() / change.sum()
    assert lower > 0.75
    assert centre_of(change)[0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("action", "low", "high", "axis"),
    [("brow_raise", -1, 1, "up"), ("brow_tilt", 1, -1, "inner up")],
)
def test_brows_move(
    people: FaceParameters, action: str, low: float, high: float, axis: str
) -> None:
    """What gets darker lies above what gets lighter where the brows go up."""
    change = render_with(people, **{action: high}) - render_with(
        people, **{action: low}
    )
    change[:, int(0.34 * SIZE) :] = 0.0  # the eyes and below
    if axis == "inner up":
        change[..., : int(0.27 * SIZE)] = 0.0
        change[..., int(0.73 * SIZE) :] = 0.0
    _, darker = centre_of((-change).clamp(min=0))
    _, lighter = centre_of(change.clamp(min=0))
    assert lighter - darker > 0.03


def test_open_mouth_is_dark(people: FaceParameters) -> None:
    left, right = (
        FACE_CROP.landmarks["left_mouth_corner"],
        FACE_CROP.landmarks["right_mouth_corner"],
    )
    columns = slice(int(left[0] * SIZE), int(right[0] * SIZE))
    rows = slice(int(0.7 * SIZE), int(0.92 * SIZE))
    dark = [
        (render_with(people, mouth_open=value)[:, rows, columns] < 0.15).float().mean()
        for value in (0.0, 0.5, 1.0)
    ]
    assert dark[0] + 0.02 < dark[1] < dark[2] - 0.05


def test_features_sit_where_the_crop_contract_says(people: FaceParameters) -> None:
    eyes = (render_with(people, eye_open=1) - render_with(people, eye_open=-1)).abs()
    for half, name in (
        (slice(0, SIZE // 2), "left_eye"),
        (slice(SIZE // 2, SIZE), "right_eye"),
    ):
        only = torch.zeros_like(eyes)
        only[..., half] = eyes[..., half]
        assert centre_of(only) == pytest.approx(FACE_CROP.landmarks[name], abs=0.03)
    mouth = (
        render_with(people, mouth_wide=1) - render_with(people, mouth_wide=-1)
    ).abs()
    assert centre_of(mouth) == pytest.approx(FACE_CROP.landmarks["mouth"], abs=0.03)


def test_every_action_is_visible(people: FaceParameters) -> None:
    for action, (low, high) in ACTION_RANGES.items():
        most = render_with(people, **{action: high})
        change = (most - render_with(people, **{action: low})).abs()
        assert (change > 0.06).float().mean((1, 2)).min() > 0.003, action


def test_brightness_does_not_tell_the_emotion(people: FaceParameters) -> None:
    means = torch.stack(
        [
            render_with(people, **dict(zip(ACTIONS, values, strict=True))).mean()
            for values in PROTOTYPES.values()
        ]
    )
    assert means.max() - means.min() < 0.01


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
    assert list(rows[0]) == ["file", "label", "identity", *ACTIONS]
    assert len(rows) == 14
    for index, row in enumerate(rows):
        emotion = EMOTIONS[int(expected.labels[index])]
        name = f"id{int(expected.identities[index]):05d}_{index:06d}.jpg"
        assert row["file"] == (f"{emotion}/{name}" if labelled else name)
        assert row["label"] == emotion
        assert int(row["identity"]) == int(expected.identities[index])
        actions = [float(row[action]) for action in ACTIONS]
        assert actions == pytest.approx(expected.actions[index].tolist(), abs=1e-5)
        with Image.open(folder / row["file"]) as image:
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

    monkeypatch.setattr(drawn_faces.files, "render_faces", must_not_render)
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
        patch.setattr(drawn_faces.files, "_write_table", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path / "faces")
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "faces").mkdir()
    save(tmp_path / "faces")
    assert len(list((tmp_path / "faces").rglob("*.jpg"))) == 14
