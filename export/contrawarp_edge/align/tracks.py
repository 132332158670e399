"""Linking the faces of neighbouring frames of a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contrawarp_edge.align.geometry import Box, overlap

MIN_OVERLAP = 0.3
"""Least intersection over union of the boxes of one face in neighbouring frames."""


def link(
    previous: Mapping[int, Box], boxes: Sequence[Box], next_track: int
) -> list[int]:
    """Gives each face of a frame the track that it continues, or a new one.

    Pairs are joined from the largest overlap down to ``MIN_OVERLAP``, each face and
    each track once.

    Args:
        previous: The faces of the frame before, by track.
        boxes: The faces of this frame.
        next_track: Number of the first new track.

    Returns:
        The tracks, in the order of ``boxes``.
    """
    pairs = sorted(
        (
            (overlap(before, box), track, place)
            for track, before in previous.items()
            for place, box in enumerate(boxes)
        ),
        key=lambda pair: -pair[0],
    )
    tracks: dict[int, int] = {}
    for share, track, place in pairs:
        if share < MIN_OVERLAP:
            break
        if place not in tracks and track not in tracks.values():
            tracks[place] = track
    for place in range(len(boxes)):
        if place not in tracks:
            tracks[place] = next_track
            next_track += 1
    return [tracks[place] for place in range(len(boxes))]
