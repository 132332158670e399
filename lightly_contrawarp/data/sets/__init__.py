"""Labelled sets in the layouts that people have on disk.

`open_set` opens any of them; each module knows one set. CelebA's landmarks and the
triplets of FEC are no labelled expressions and have readers of their own.
"""

from lightly_contrawarp.data.sets.affectnet_landmarks import affectnet_face_landmarks
from lightly_contrawarp.data.sets.catalogue import (
    PARTS,
    SET_NAMES,
    available_parts,
    open_set,
)
from lightly_contrawarp.data.sets.celeba import (
    CelebaLandmarks,
    celeba_face_landmarks,
    read_celeba_landmarks,
)
from lightly_contrawarp.data.sets.fec import (
    FecFace,
    FecFaces,
    FecTriplets,
    read_fec_face,
    read_fec_triplets,
)
from lightly_contrawarp.data.sets.folds import Folds

__all__ = [
    "PARTS",
    "SET_NAMES",
    "CelebaLandmarks",
    "FecFace",
    "FecFaces",
    "FecTriplets",
    "Folds",
    "affectnet_face_landmarks",
    "available_parts",
    "celeba_face_landmarks",
    "open_set",
    "read_celeba_landmarks",
    "read_fec_face",
    "read_fec_triplets",
]
