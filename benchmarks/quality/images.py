"""The images of the benchmark, whole in memory as 8-bit tensors."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from benchmarks.quality.plan import Scale, Sources
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write
from contrawarp_edge.core.progress import Progress
from lightly_contrawarp.data.faces_csv import facts_of, read_faces_csv
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.data.synthetic import DrawnFaces
from lightly_contrawarp.evaluation.encoders.feature_cache import stamp

VERIFIED = ("happy", "neutral")
"""Expressions that photographs of people have to show, for pairs of them."""

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
        return self.select(torch.from_numpy(evenly(count, most)))

    def to(self, device: str) -> Images:
        """The same on a device."""
        return self._replace(
            pixels=self.pixels.to(device), labels=self.labels.to(device)
        )


def evenly(count: int, most: int | None) -> NDArray[np.int64]:
    """At most so many positions of ``count``, evenly spread from first to last."""
    chosen = count if most is None else min(count, most)
    return np.linspace(0, count - 1, chosen).astype(np.int64)


def load_sets(sources: Sources, cache: Path, scale: Scale) -> dict[str, Images]:
    """Decodes or draws all images, once.

    Args:
        sources: Where they are.
        cache: Folder to keep the pixels in. The name of each file there covers all
            that they depend on: the files, by size and time of change, or the draw.
        scale: How many of them to take.

    Returns:
        ``train``, ``validation``, ``drawn_train`` and ``drawn``, and ``lfw`` and
        ``pairs``, where they are given.

    Raises:
        InputError: If they cannot be used.
    """
    sets = {}
    for name in ("train", "validation"):
        dataset = LabelledFolder(sources.data / name)
        made = partial(_decode, dataset)
        images = _kept(cache, name, _stamps(dataset, _SIDE), made)
        if name == "train" and sources.landmarks.exists():
            facts = facts_of(
                list(map(Path, dataset.names)), read_faces_csv(sources.landmarks)
            )
            images = images._replace(landmarks=facts.landmarks)
        sets[name] = images.spread(scale.limit)
    for name, folder in sources.people.items():
        dataset = LabelledFolder(folder, identity_pattern=_PERSON)
        if lacking := [one for one in VERIFIED if one not in dataset.classes]:
            raise InputError(
                f"{folder}: no {' and no '.join(lacking)} faces, but only "
                f"{', '.join(dataset.classes)}; both of {' and '.join(VERIFIED)} are "
                "needed"
            )
        made = partial(_decode_people, dataset)
        images = _kept(cache, name, _stamps(dataset, _PEOPLE_SIDE), made)
        sets[name] = images.spread(scale.limit if name == "lfw" else None)
    count = scale.drawn_faces
    for name, faces in (("drawn_train", count), ("drawn", count // 2)):
        drawn = faces, _DRAWN_SEEDS[name]
        sets[name] = _kept(cache, name, [*drawn, _SIDE], partial(draw_faces, *drawn))
    return sets


def fingerprints(sets: Mapping[str, Images]) -> dict[str, str]:
    """What tells the pixels and labels that are given from others, wherever they lie.

    Args:
        sets: What `load_sets` returned.

    Returns:
        A fingerprint of ``data``, and one of ``lfw`` and ``pairs``, if they are given.
    """
    parts = {"data": ("train", "validation"), "lfw": ("lfw",), "pairs": ("pairs",)}
    return {
        key: _fingerprint([sets[name] for name in names])
        for key, names in parts.items()
        if sets.keys() >= set(names)
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


def _fingerprint(sets: Iterable[Images]) -> str:
    digest = hashlib.sha256()
    for images in sets:
        digest.update(repr((images.classes, tuple(images.pixels.shape))).encode())
        for part in (images.pixels, images.labels, images.people):
            if part is not None:
                digest.update(np.ascontiguousarray(part.numpy()).data)
    return digest.hexdigest()[:16]


def _stamps(dataset: LabelledFolder, side: int) -> list[Any]:
    """What the pixels of a folder depend on."""
    root = dataset.root.resolve()
    paths = [Path(name) for name in dataset.names]
    items = [(str(path.relative_to(dataset.root)), stamp(path)) for path in paths]
    return [str(root), side, items]


def _kept(cache: Path, name: str, key: object, make: Callable[[], Images]) -> Images:
    """Images from a file, which is made if there is none of that key."""
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    path = cache / f"{name}-{digest}.npz"
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


def _decode(dataset: LabelledFolder) -> Images:
    pixels = _pixels(dataset, _SIDE)[:, :1]  # of FER2013, all channels are the same
    return Images(pixels, torch.tensor(dataset.labels), tuple(dataset.classes))


def _decode_people(dataset: LabelledFolder) -> Images:
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
