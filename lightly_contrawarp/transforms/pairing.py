"""In how many views a face and its warps come."""

from __future__ import annotations

from enum import Enum

from contrawarp_edge.core.errors import InputError


class Pairing(str, Enum):
    """In how many views a face and its warps come.

    Raises:
        InputError: If a word is none of them.
    """

    PAIRED = "paired"
    """The face, and each of its warps, in two."""
    UNPAIRED = "unpaired"
    """The face in two, and each of its warps in one."""
    SINGLE = "single"
    """The face, and each of its warps, in one."""

    @classmethod
    def _missing_(cls, value: object) -> None:
        words = " or ".join(repr(one.value) for one in cls)
        raise InputError(f"pairing must be {words}, got {value!r}")


FRAMES = {
    Pairing.PAIRED: ((0, 1), (0, 1)),
    Pairing.UNPAIRED: ((0, 1), (0,)),
    Pairing.SINGLE: ((0,), (1,)),
}
"""The frames that the views of the face show, and those that the views of each warp
show: 0 is the image, 1 its neighbour."""


def number_of_views(num_negatives: int, pairing: str) -> int:
    """Views of each image.

    Args:
        num_negatives: Warps of a face, K.
        pairing: One of ``Pairing``.

    Returns:
        ``2 + 2K`` paired, ``2 + K`` unpaired, ``1 + K`` single.

    Raises:
        InputError: If there is no such pairing.

    Examples:
        >>> [number_of_views(3, pairing) for pairing in Pairing]
        [8, 5, 4]
    """
    face, warp = FRAMES[Pairing(pairing)]
    return len(face) + num_negatives * len(warp)
