"""Neighbouring frames, their pairs, and their order in an epoch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.data.folders import FaceFolder
from lightly_contrawarp.data.frames import NeighbourFrames, Neighbours, SpreadTracks
from lightly_contrawarp.transforms.batch_items import FaceItem, FramePair
from lightly_contrawarp.transforms.geometry.landmarks import template_points


def random_frames() -> tuple[list[str | None], list[float | None]]:
    """120 images in no order: tracks of some frames, single frames and unknown ones."""
    rng = np.random.default_rng(3)
    tracks = [None if t > 8 else f"{t}" for t in rng.integers(0, 11, 118)]
    times = [None if t > 9.5 else round(float(t), 2) for t in rng.uniform(0, 10, 118)]
    return [*tracks, "alone", None], [*times, 1.0, None]


def near_by_definition(
    tracks: list[str | None], times: list[float | None], seconds: float
) -> list[set[int]]:
    found = []
    for i, (track, time) in enumerate(zip(tracks, times, strict=True)):
        others = {
            j
            for j, (other, when) in enumerate(zip(tracks, times, strict=True))
            if None not in (track, time, when)
            and j != i
            and other == track
            and round(abs(when - time), 6) <= seconds
        }
        found.append(others)
    return found


@pytest.mark.parametrize("seconds", [0.0, 0.5, 3.0, 100.0])
def test_neighbours_are_those_of_the_definition(seconds: float) -> None:
    tracks, times = random_frames()
    expected = near_by_definition(tracks, times, seconds)
    neighbours = Neighbours(tracks, times, seconds)
    assert neighbours.counts.tolist() == [len(one) for one in expected]
    torch.manual_seed(0)
    seen: list[set[int]] = [set() for _ in tracks]
    for _ in range(400):
        for index, other in enumerate(neighbours.draw(torch.arange(120)).tolist()):
            seen[index].add(other)
    # Every neighbour is drawn, nothing else ever; who has none is left alone.
    assert seen == [one or {index} for index, one in enumerate(expected)]


def test_the_time_may_be_the_step_between_frames() -> None:
    times = [index * 0.1 for index in range(20)]
    counts = Neighbours(["a"] * 20, times, 0.1).counts
    assert counts.tolist() == [1, *[2] * 18, 1]


def test_neighbours_are_equally_likely_and_seeds_decide() -> None:
    neighbours = Neighbours(["a"] * 4, [0.0, 1.0, 2.0, 3.0], 2.0)
    torch.manual_seed(1)
    drawn = neighbours.draw(torch.ones(30_000, dtype=torch.int64))
    shares = torch.bincount(drawn, minlength=4) / 30_000
    assert shares.tolist() == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3], abs=0.02)
    torch.manual_seed(1)
    assert torch.equal(drawn, neighbours.draw(torch.ones(30_000, dtype=torch.int64)))


def test_no_images_have_no_neighbours() -> None:
    assert Neighbours([], [], 1.0).counts.tolist() == []
    assert list(SpreadTracks([])) == []


def test_an_epoch_has_each_image_once_and_tracks_spread() -> None:
    tracks = [f"{index // 50}" for index in range(500)] + [None] * 100
    sampler = SpreadTracks(tracks, seed=4)
    order = list(sampler)
    assert len(sampler) == 600
    assert sorted(order) == list(range(600))
    assert order == list(sampler)
    place = torch.tensor(order).argsort()
    for track in range(10):
        gaps = place[track * 50 : track * 50 + 50].sort().values.diff()
        # One of 50 frames comes every 12 images, and others in between.
        assert gaps.min() >= 6
        assert gaps.max() <= 18
    sampler.set_epoch(1)
    assert list(sampler) != order
    assert list(SpreadTracks(tracks, seed=5)) != order


def folder(root: Path, count: int = 6) -> FaceFolder:
    paths = [root / f"{index}.png" for index in range(count)]
    for index, path in enumerate(paths):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(path)
    landmarks = template_points() + torch.arange(count)[:, None, None] / 100
    return FaceFolder(paths, TF.pil_to_tensor, lambda file: None, landmarks)


def test_images_come_with_their_landmarks(tmp_path: Path) -> None:
    images = folder(tmp_path)
    item = images[2]
    assert isinstance(item, FaceItem)
    assert (int(item.image[0, 0, 0]), item.position) == (2, 2)
    assert torch.equal(item.landmarks, images.landmarks[2])
    batch = next(iter(DataLoader(images, 3)))
    assert isinstance(batch, FaceItem)
    assert batch.landmarks.shape == (3, 8, 2)
    (tmp_path / "2.png").write_bytes(b"")  # the next one stands in, with its landmarks
    item = images[2]
    assert (int(item.image[0, 0, 0]), item.position) == (3, 3)
    assert torch.equal(item.landmarks, images.landmarks[3])


def test_pairs_never_leave_a_track(tmp_path: Path) -> None:
    images = folder(tmp_path)
    tracks = ["a", "b", "a", "b", "c", None]
    neighbours = Neighbours(tracks, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0], 1.0)
    frames = NeighbourFrames(images, neighbours)
    assert len(frames) == 6
    partners = {}
    for index in range(6):
        pair = frames[index]
        assert isinstance(pair, FramePair)
        assert (int(pair.image[0, 0, 0]), pair.position) == (index, index)
        other = partners[index] = int(pair.neighbour[0, 0, 0])
        assert torch.equal(pair.landmarks, images.landmarks[[index, other]])
    assert partners == {0: 2, 1: 3, 2: 0, 3: 1, 4: 4, 5: 5}
    batch = next(iter(DataLoader(frames, 6)))
    assert isinstance(batch, FramePair)
    assert batch.neighbour.shape == batch.image.shape == (6, 3, 8, 8)


def test_a_broken_neighbour_is_replaced_by_the_image_itself(tmp_path: Path) -> None:
    images = folder(tmp_path)
    (tmp_path / "2.png").write_bytes(b"")
    frames = NeighbourFrames(images, Neighbours(["a", "b", "a"] * 2, [0.0] * 6, 0.0))
    frames.neighbours.draw = lambda index: torch.tensor([2])  # type: ignore[method-assign]
    pair = frames[0]
    assert torch.equal(pair.neighbour, pair.image)
    assert torch.equal(pair.landmarks[1], images.landmarks[0])
    with pytest.raises(ValueError, match="need landmarks"):
        NeighbourFrames(FaceFolder(images.paths), frames.neighbours)
