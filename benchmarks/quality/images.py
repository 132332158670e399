"""The images of the benchmark, whole in memory as 8-bit tensors."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from benchmarks.quality.scales import Scale
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.inputs.images import FACES_CSV
from lightly_contrawarp.data.faces_csv import facts_of, read_faces_csv
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.data.synthetic import DrawnFaces

_DEV_SHARE = 0.2
_SIDE = 48  # of FER2013 and of drawn faces
_PEOPLE_SIDE = 112
_PERSON = r"id(\d+)_"
_DRAWN_SEEDS = {"drawn_train": 1, "drawn": 2001}  # nothing was chosen on the latter


class Images(NamedTuple):
    """Labelled images.

    Attributes:
        pixels: uint8 ``[N, C, S, S]``, C 1 for grey ones.
        labels: int64 ``[N]``, positions in ``classes``.
        classes: Names of the classes.
        people: int64 ``[N]``, who each shows, where that is known.
        landmarks: float32 ``[N, P, 2]`` on the CPU, where they are known.
    """

    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    people: Tensor | None = None
    landmarks: Tensor | None = None

    def select(self, index: Tensor) -> Images:
        """The images at some positions."""
        place = index.to(self.pixels.device)
        people, landmarks = (
            None if known is None else known[index.cpu()]
            for known in (self.people, self.landmarks)
        )
        return Images(
            self.pixels[place], self.labels[place], self.classes, people, landmarks
        )

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


@dataclass(frozen=True)
class Sources:
    """Where the images are.

    Attributes:
        data: Holds ``train/CLASS/*`` and ``validation/CLASS/*``, and
            ``train/faces.csv``, if landmarks of the training images are known.
        lfw: Holds ``CLASS/idNNN_*.jpg``, photographs of people.
        pairs: Likewise, each person with one expression and with another.
    """

    data: Path
    lfw: Path | None = None
    pairs: Path | None = None


def load_sets(sources: Sources, cache: Path, scale: Scale) -> dict[str, Images]:
    """Decodes or draws all images, once.

    Args:
        sources: Where they are.
        cache: Folder to keep the pixels in.
        scale: How many of them to take.

    Returns:
        ``train``, ``validation``, ``drawn_train`` and ``drawn``, and ``lfw`` and
        ``pairs``, where they are given.

    Raises:
        InputError: If they cannot be used.
    """
    makers: dict[str, Callable[[], Images]] = {
        part: lambda part=part: _decode(sources.data / part)  # type: ignore[misc]
        for part in ("train", "validation")
    }
    for name, folder in (("lfw", sources.lfw), ("pairs", sources.pairs)):
        if folder is not None:
            makers[name] = lambda folder=folder: _decode_people(folder)  # type: ignore[misc]
    count = scale.drawn_faces
    for name, faces in (("drawn_train", count), ("drawn", count // 2)):
        makers[name] = lambda name=name, faces=faces: draw_faces(  # type: ignore[misc]
            faces, _DRAWN_SEEDS[name]
        )
    sets = {name: _kept(cache / f"{name}.npz", make) for name, make in makers.items()}
    table = sources.data / "train" / FACES_CSV
    if table.exists():
        paths = [Path(name) for name in LabelledFolder(sources.data / "train").names]
        facts = facts_of(paths, read_faces_csv(table))
        sets["train"] = sets["train"]._replace(landmarks=facts.landmarks)
    limited = ("train", "validation", "lfw")
    return {
        name: images.spread(scale.limit if name in limited else None)
        for name, images in sets.items()
    }


def split_dev(train: Images) -> tuple[Images, Images]:
    """Sets a fixed fifth of the training images apart, to choose defaults on."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(train.labels), generator=generator)
    size = round(_DEV_SHARE * len(order))
    if size == 0:
        raise InputError(f"{len(order)} training images are too few")
    return train.select(order[size:]), train.select(order[:size])


def draw_faces(count: int, seed: int) -> Images:
    """Draws faces of ``count // 10`` people; other seeds show other people."""
    faces = DrawnFaces(count, count // 10, seed, size=_SIDE)
    return Images(faces.images, faces.labels, tuple(faces.classes), faces.identities)


def _kept(path: Path, make: Callable[[], Images]) -> Images:
    """Images from a file, which is made if it is not there."""
    if not path.exists():
        images = make()
        arrays = {
            "pixels": images.pixels.numpy(),
            "labels": images.labels.numpy(),
            "classes": np.array(images.classes),
        }
        if images.people is not None:
            arrays["people"] = images.people.numpy()
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, buffer.getbuffer())
    with np.load(path) as found:
        return Images(
            torch.from_numpy(found["pixels"]),
            torch.from_numpy(found["labels"]),
            tuple(map(str, found["classes"])),
            torch.from_numpy(found["people"]) if "people" in found else None,
        )


def _decode(root: Path) -> Images:
    dataset = LabelledFolder(root)
    pixels = _pixels(dataset, _SIDE)[:, :1]  # of FER2013, all channels are the same
    return Images(pixels, torch.tensor(dataset.labels), tuple(dataset.classes))


def _decode_people(root: Path) -> Images:
    dataset = LabelledFolder(root, identity_pattern=_PERSON)
    pixels = _pixels(dataset, _PEOPLE_SIDE)
    if all((pixels[:, 0] == pixels[:, other]).all() for other in (1, 2)):
        pixels = pixels[:, :1]
    people = torch.tensor([int(name) for name in dataset.identities or ()])
    labels = torch.tensor(dataset.labels)
    return Images(pixels, labels, tuple(dataset.classes), people)


def _pixels(dataset: LabelledFolder, side: int) -> Tensor:
    progress = Progress(len(dataset))
    pixels = []
    for index in range(len(dataset)):
        image, _ = dataset[index]
        square = image if image.size == (side, side) else image.resize((side, side))
        pixels.append(TF.pil_to_tensor(square))
        progress.update(index + 1)
    progress.clear()
    return torch.stack(pixels)
