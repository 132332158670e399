"""Features on disk, so that an encoder sees each image of a set once."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write, storage_errors
from contrawarp_edge.inputs.images import image_extensions
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.evaluation.encoders.encoders import Encoder
from lightly_contrawarp.evaluation.encoders.features import Features, extract_features

_FORMAT = 3


class FeatureCache:
    """A folder of features, one ``.npz`` for each encoder and data set.

    A file is used only if it holds the key it is looked up by, which covers weights,
    preprocessing, and name, size and time of change of every image and table of the
    set; and if it is whole. Anything else is computed afresh. Files may be deleted at
    will.

    Args:
        folder: Where to keep them; created if it is missing.

    Raises:
        InputError: If it is a file, or cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; --cache has to be a folder")
        with storage_errors(f"{folder}: cannot be created"):
            folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def features(
        self,
        encoder: Encoder,
        dataset: LabelledImages,
        *,
        thumbnails: bool = False,
        on_progress: Callable[[int], None] | None = None,
        **options: Any,
    ) -> Features:
        """What `extract_features` returns, from the folder where that is possible.

        Args:
            encoder: See `extract_features`, as for the others.
            dataset: The images.
            thumbnails: Whether they are needed; a file without them is no use then.
            on_progress: Called once with their number if they need not be embedded.
            **options: Further arguments of `extract_features`.

        Raises:
            InputError: See `extract_features`; or if the file cannot be written.
        """
        key = self._key(encoder, dataset)
        path = self.folder / f"{key}.npz"
        stored = _read(path, key, len(dataset))
        if stored is not None and (stored.thumbnails.size or not thumbnails):
            if on_progress:
                on_progress(len(dataset))
            return stored
        features = extract_features(
            encoder, dataset, thumbnails=thumbnails, on_progress=on_progress, **options
        )
        _write(path, key, features)
        return features

    def _key(self, encoder: Encoder, dataset: LabelledImages) -> str:
        info = encoder.info
        items = [(name, stamp(Path(name))) for name in dataset.names]
        # An item may be a row of a table, or be cut out of an image as a table says.
        with_images = any(stamp is None for _, stamp in items)
        content = {
            "format": _FORMAT,
            "encoder": [info.kind, info.fingerprint, info.features, info.device],
            "preprocessing": [info.preprocessing, info.input_size],
            "set": [dataset.name, str(dataset.root)],
            "items": items,
            "others": [
                (str(path), stamp(path))
                for path in _files(dataset.root, with_images, self.folder.resolve())
            ],
        }
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of last change, or None if there is no such file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def _files(root: Path, with_images: bool, left_out: Path) -> Iterator[Path]:
    """The files below a folder but not below another, images only if wanted."""
    if not root.is_dir():
        yield root
        return
    images = frozenset() if with_images else image_extensions()
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(
            name for name in subfolders if Path(folder, name).resolve() != left_out
        )
        for name in sorted(names):
            if Path(name).suffix.lower() not in images:
                yield Path(folder, name)


def _read(path: Path, key: str, count: int) -> Features | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["key"]) != key:
                return None
            features = Features(
                file["values"],
                file["rows"],
                file["thumbnails"],
                file["unreadable"].tolist(),
                file.get("scores"),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # missing, cut short, or with bits flipped (checksums tell)
    lengths = {len(features.values), len(features.rows), len(features.thumbnails)}
    if features.scores is not None:
        lengths.add(len(features.scores))
    return features if lengths == {count - len(features.unreadable)} else None


def _write(path: Path, key: str, features: Features) -> None:
    content = io.BytesIO()
    scores: dict[str, Any] = {}
    if features.scores is not None:
        scores["scores"] = features.scores
    np.savez(
        content,
        **scores,
        key=key,
        values=features.values,
        rows=features.rows,
        thumbnails=features.thumbnails,
        unreadable=np.array(features.unreadable, dtype=np.str_),
    )
    atomic_write(path, content.getbuffer())
