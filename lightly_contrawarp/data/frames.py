"""Frames of videos: which are neighbours, their pairs, and their order in an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from lightly_contrawarp.data.folders import FaceFolder
from lightly_contrawarp.transforms.batch_items import FramePair

_TOLERANCE = 1e-6  # seconds; differences of decimal times are not exact


class Neighbours:
    """Finds frames of the same track that are near in time.

    Args:
        tracks: Track of each image, or ``None`` for one that is alone.
        times: Time of each image in seconds, or ``None``.
        seconds: Largest distance in time, at least 0.

    Examples:
        >>> near = Neighbours(["a", "a", "b", None], [0.0, 0.2, 0.2, None], 0.5)
        >>> near.draw(torch.arange(4)).tolist()
        [1, 0, 2, 3]
    """

    def __init__(
        self,
        tracks: Sequence[str | None],
        times: Sequence[float | None],
        seconds: float,
    ) -> None:
        # By track and time, so that the neighbours of a frame are a range around it.
        # An image that is alone is a track of its own.
        keys = [
            (f"alone {i}", 0.0, i)
            if track is None or time is None
            else (f"track {track}", time, i)
            for i, (track, time) in enumerate(zip(tracks, times, strict=True))
        ]
        keys.sort()
        seconds += _TOLERANCE
        first = last = 0
        ranges = []
        for track, time, _ in keys:
            while keys[first][0] != track or keys[first][1] < time - seconds:
                first += 1
            last = max(last, first)
            while last < len(keys) and (
                keys[last][0] == track and keys[last][1] <= time + seconds
            ):
                last += 1
            ranges.append((first, last - first))
        self._order = torch.tensor([index for *_, index in keys], dtype=torch.int64)
        self._place = self._order.argsort()
        self._first, self._count = torch.tensor(ranges).view(-1, 2).T

    @property
    def counts(self) -> Tensor:
        """Number of neighbours of each image, int64 ``[N]``."""
        counts: Tensor = self._count[self._place] - 1
        return counts

    def draw(self, index: Tensor) -> Tensor:
        """Draws a neighbour of each image; one that has none is its own.

        Args:
            index: Positions of images, int64 ``[B]``.

        Returns:
            Positions of their neighbours, int64 ``[B]``, drawn from torch's global
            generator.
        """
        place = self._place[index]
        first, count = self._first[place], self._count[place]
        others = torch.rand(len(index), dtype=torch.float64) * (count - 1)
        # One to count - 1 steps on from the image itself, around the range.
        return self._order[first + (place - first + 1 + others.long()) % count]


class SpreadTracks(Sampler[int]):
    """A random order in which the frames of a track are far from each other.

    Frames of one track show the same face with nearly the same expression. In one
    batch they would be negatives of each other. Each image comes once an epoch.

    Args:
        tracks: Track of each image, or ``None`` for one that is alone.
        seed: Decides the orders, together with the epoch.
    """

    def __init__(self, tracks: Sequence[str | None], seed: int = 0) -> None:
        self._seed, self._epoch = seed, 0
        numbers: dict[str | int, int] = {}
        # An image that is alone is a track of its own.
        names = [i if track is None else track for i, track in enumerate(tracks)]
        ids = [numbers.setdefault(name, len(numbers)) for name in names]
        self._track = torch.tensor(ids, dtype=torch.int64)
        self._size = torch.bincount(self._track)

    def __len__(self) -> int:
        return len(self._track)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of an epoch; every process then has the same one."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + 1_000_003 * self._epoch)
        shuffled = torch.randperm(len(self), generator=generator)
        by_track = shuffled[self._track[shuffled].argsort(stable=True)]
        track = self._track[by_track]
        start = self._size.cumsum(0) - self._size
        rank = torch.arange(len(self)) - start[track]
        # The frames of a track divide the epoch evenly, from a random start.
        offset = torch.rand(len(self._size), generator=generator)[track]
        yield from by_track[((rank + offset) / self._size[track]).argsort()].tolist()


class NeighbourFrames(Dataset[FramePair]):
    """The images of a folder, each with a neighbour that is drawn anew every time.

    A neighbour that cannot be decoded is replaced by the image itself, so that no
    pair ever shows two people.

    Args:
        folder: The images, with landmarks.
        neighbours: Which are near each other.

    Raises:
        ValueError: If the images have no landmarks.
    """

    def __init__(self, folder: FaceFolder, neighbours: Neighbours) -> None:
        if folder.landmarks is None:
            raise ValueError("the images need landmarks, if only the contract's")
        self.landmarks = folder.landmarks
        self.folder = folder
        self.neighbours = neighbours

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> FramePair:
        image, position, *_ = self.folder[index]
        other = int(self.neighbours.draw(torch.tensor([position]))[0])
        neighbour = image if other == position else self.folder.read(other)
        if neighbour is None:
            other, neighbour = position, image
        both = self.landmarks[[position, other]]
        return FramePair(image, position, both, neighbour)
