"""The images of the benchmark, whole in memory as 8-bit tensors."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from benchmarks.quality.tracks import DrawnTracks, draw_tracks
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.inputs.images import FACES_CSV
from lightly_contrawarp.data.faces_csv import facts_of, read_faces_csv
from lightly_contrawarp.data.frames import Neighbours
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.data.synthetic import (
    DrawnFaces,
    face_landmarks,
    render_faces,
)

_DEV_SHARE = 0.2
_SIDE = 48
_FRAMES, _SECONDS = 10, 2.0  # of a drawn video


class Images(NamedTuple):
    """Labelled images.

    Attributes:
        pixels: uint8 ``[N, C, S, S]``, C 1 for grey ones.
        labels: int64 ``[N]``.
        landmarks: float32 ``[N, P, 2]`` on the CPU, where they are known.
    """

    pixels: Tensor
    labels: Tensor
    landmarks: Tensor | None = None

    def select(self, index: Tensor) -> Images:
        """The images at some positions."""
        place = index.to(self.pixels.device)
        landmarks = None if self.landmarks is None else self.landmarks[index.cpu()]
        return Images(self.pixels[place], self.labels[place], landmarks)

    def spread(self, most: int | None) -> Images:
        """At most that many images, evenly from the whole: they are in class order."""
        count = len(self.labels)
        if most is None or most >= count:
            return self
        return self.select(torch.linspace(0, count - 1, most).long())

    def to(self, device: str) -> Images:
        """The same on a device."""
        return self._replace(
            pixels=self.pixels.to(device), labels=self.labels.to(device)
        )


def load_faces(root: Path, cache: Path, limit: int | None) -> tuple[Images, Images]:
    """Decodes ``root/train`` and ``root/validation``, once.

    Args:
        root: Holds ``train/CLASS/*`` and ``validation/CLASS/*``, grey images, and
            ``train/faces.csv``, if landmarks of the training images are known.
        cache: File to keep the pixels in.
        limit: Most images of a part, spread over it.

    Returns:
        Training and validation images.

    Raises:
        InputError: If they cannot be used.
    """
    if not cache.exists():
        parts = {}
        for part in ("train", "validation"):
            images = _decode(root / part)
            parts[f"{part}_pixels"] = images.pixels.numpy()
            parts[f"{part}_labels"] = images.labels.numpy()
        cache.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **parts)
        atomic_write(cache, buffer.getbuffer())
    with np.load(cache) as parts:
        train, validation = (
            Images(*(torch.from_numpy(parts[f"{part}_{key}"])
                     for key in ("pixels", "labels")))
            for part in ("train", "validation")
        )  # fmt: skip
    table = root / "train" / FACES_CSV
    if table.exists():
        paths = [Path(name) for name in LabelledFolder(root / "train").names]
        facts = facts_of(paths, read_faces_csv(table))
        train = train._replace(landmarks=facts.landmarks)
    return train.spread(limit), validation.spread(limit)


def _decode(root: Path) -> Images:
    dataset = LabelledFolder(root)
    progress = Progress(len(dataset))
    pixels = []
    for index in range(len(dataset)):
        image, _ = dataset[index]
        square = image.convert("L").resize((_SIDE, _SIDE))
        pixels.append(TF.pil_to_tensor(square))
        progress.update(index + 1)
    progress.clear()
    return Images(torch.stack(pixels), torch.tensor(dataset.labels))


def split_dev(train: Images) -> tuple[Images, Images]:
    """Sets a fixed fifth of the training images apart, to choose defaults on."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(train.labels), generator=generator)
    size = round(_DEV_SHARE * len(order))
    if size == 0:
        raise InputError(f"{len(order)} training images are too few")
    return train.select(order[size:]), train.select(order[:size])


def draw_faces(count: int, seed: int) -> tuple[Images, DrawnFaces]:
    """Draws faces of ``count // 10`` people; other seeds show other people."""
    faces = DrawnFaces(count, count // 10, seed, size=_SIDE)
    return Images(faces.images, faces.labels, faces.landmarks), faces


def draw_videos(count: int, seed: int) -> Images:
    """Draws ``count`` frames of videos of two seconds, ten frames each."""
    faces = _tracks(count, seed).faces
    return Images(render_faces(faces, size=_SIDE), faces.labels, face_landmarks(faces))


def video_neighbours(count: int, seed: int, seconds: float) -> Neighbours:
    """The neighbours among the frames of ``draw_videos``."""
    _, tracks, times = _tracks(count, seed)
    return Neighbours([f"{t}" for t in tracks.tolist()], times.tolist(), seconds)


def _tracks(count: int, seed: int) -> DrawnTracks:
    return draw_tracks(max(1, count // _FRAMES), _FRAMES, seed=seed, seconds=_SECONDS)
