"""Drawn faces as a data set in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image
from torch.utils.data import Dataset

from lightly_contrawarp.data.synthetic.landmarks import face_landmarks
from lightly_contrawarp.data.synthetic.parameters import EMOTIONS, draw_parameters
from lightly_contrawarp.data.synthetic.render import render_faces


class DrawnFaces(Dataset[tuple[Any, int]]):
    """Cartoon faces with known expressions, drawn at construction.

    Args:
        num_faces: Number of faces.
        num_identities: Number of people.
        seed: Faces of different seeds show different people, so that a test set with
            another seed shares nobody with the training set.
        size: Height and width of the images.
        transform: Applied to the PIL image whenever a face is read.

    Attributes:
        images: ``(num_faces, 3, size, size)`` uint8.
        labels: ``(num_faces,)`` int64, index into ``classes``.
        identities: ``(num_faces,)`` int64.
        actions: ``(num_faces, len(ACTIONS))`` float32, within ``ACTION_RANGES``.
        landmarks: ``(num_faces, P, 2)`` float32, in the order of ``FACE_CROP``.
        classes: Names of the emotions.
    """

    def __init__(
        self,
        num_faces: int = 2100,
        num_identities: int = 150,
        seed: int = 0,
        size: int = 96,
        transform: Callable[[Image.Image], Any] | None = None,
    ) -> None:
        parameters = draw_parameters(
            num_faces, num_identities=num_identities, seed=seed
        )
        self.images = render_faces(parameters, size=size)
        self.labels = parameters.labels
        self.identities = parameters.identities
        self.actions = parameters.actions
        self.landmarks = face_landmarks(parameters)
        self.classes = EMOTIONS
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """The RGB image, transformed if asked for, and its label."""
        pixels = self.images[index].permute(1, 2, 0).contiguous()
        image = Image.fromarray(pixels.numpy())
        label = int(self.labels[index])
        return (image if self.transform is None else self.transform(image)), label
