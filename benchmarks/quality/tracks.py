"""Short videos of drawn faces: one person each, whose expression changes."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from lightly_contrawarp.data.synthetic.parameters import FaceParameters, draw_parameters


class DrawnTracks(NamedTuple):
    """Frames of drawn videos, one track after the other.

    Attributes:
        faces: Parameters of ``N = num_tracks * num_frames`` frames.
        tracks: ``(N,)`` int64, the track of each frame.
        times: ``(N,)`` float32, in seconds.
    """

    faces: FaceParameters
    tracks: Tensor
    times: Tensor


def draw_tracks(
    num_tracks: int, num_frames: int, *, seed: int, seconds: float = 2.0
) -> DrawnTracks:
    """Draws one video of each of ``num_tracks`` people.

    A video goes smoothly from one face of its person to another: expression, pose,
    gaze, light and backdrop change, with the fastest change in the middle. Pixel noise
    is drawn for each frame. The label is that of the nearer of the two faces.

    Args:
        num_tracks: Number of videos, at least 1.
        num_frames: Frames of each, at least 2.
        seed: As for ``draw_parameters``.
        seconds: Length of each video.

    Returns:
        The frames, and the track and time of each.

    Raises:
        ValueError: If a number is out of its range.
    """
    if num_frames < 2:
        raise ValueError(f"num_frames must be at least 2, got {num_frames}")
    ends = draw_parameters(2 * num_tracks, num_identities=num_tracks, seed=seed)
    # Everybody is drawn twice.
    order = ends.identities.argsort(stable=True)
    place = torch.linspace(0, 1, num_frames)
    weight = (place * place * (3 - 2 * place)).repeat(num_tracks)
    first, last = (ends[order[end::2].repeat_interleave(num_frames)] for end in (0, 1))

    def between(name: str) -> Tensor:
        start: Tensor = getattr(first, name)
        stop: Tensor = getattr(last, name)
        return torch.lerp(start, stop, weight.view(-1, *[1] * (start.ndim - 1)))

    noise = torch.Generator().manual_seed(seed)
    keys = torch.randint(2**31, (len(weight),), generator=noise)
    faces = replace(
        first,
        labels=torch.where(weight < 0.5, first.labels, last.labels),
        actions=between("actions"),
        nuisances=between("nuisances"),
        colours=between("colours"),
        noise_keys=keys,
    )
    tracks = torch.arange(num_tracks).repeat_interleave(num_frames)
    return DrawnTracks(faces, tracks, (place * seconds).repeat(num_tracks))
