"""Labelled sets in the layouts that people have on disk.

`open_set` opens any of them; each module knows one set. The triplets of FEC are no
labelled expressions and have a reader of their own.
"""

from lightly_contrawarp.data.sets.catalogue import (
    SET_NAMES,
    available_splits,
    open_set,
)
from lightly_contrawarp.data.sets.class_folders import open_folder, split_folders
from lightly_contrawarp.data.sets.fec import (
    FecFace,
    FecFaces,
    FecTriplets,
    read_fec_triplets,
)
from lightly_contrawarp.data.sets.folds import Folds

__all__ = [
    "SET_NAMES",
    "FecFace",
    "FecFaces",
    "FecTriplets",
    "Folds",
    "available_splits",
    "open_folder",
    "open_set",
    "read_fec_triplets",
    "split_folders",
]
