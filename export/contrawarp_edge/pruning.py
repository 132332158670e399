"""Taking images out of a gallery whose files are gone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contrawarp_edge.errors import InputError
from contrawarp_edge.gallery import Gallery
from contrawarp_edge.inputs.video import split_frame_path


@dataclass(frozen=True)
class Pruned:
    """What became of the images: those whose file is there, and those that were not."""

    kept: int
    gone: list[str]


def prune(
    gallery: Gallery,
    folders: Sequence[Path] = (),
    *,
    dry_run: bool = False,
    force: bool = False,
) -> Pruned:
    """Deletes images whose files are gone.

    Args:
        gallery: The gallery.
        folders: Only images below these folders, as their paths are written; all if
            empty.
        dry_run: Delete nothing.
        force: Go on even if no file at all is there.

    Returns:
        What was, or would be, deleted.

    Raises:
        InputError: If no file is there: then a disk is rather missing than its files.
    """
    kept, gone, ids = 0, [], []
    for id, path, is_there in _checked(gallery, folders):
        if is_there:
            kept += 1
        else:
            gone.append(path)
            ids.append(id)
    if gone and not kept and not force:
        raise InputError(
            f"{gallery.path}: none of its {len(gone)} files is there, such as "
            f"{gone[0]}; is a disk missing, or the current folder another? "
            "If not, use --force"
        )
    if not dry_run:
        gallery.delete(ids)
    return Pruned(kept, gone)


def _checked(
    gallery: Gallery, folders: Sequence[Path]
) -> Iterator[tuple[int, str, bool]]:
    """Yields id and path of images, and whether their file is there."""
    prefixes = [_prefix(folder) for folder in folders] or [""]
    seen = None
    for prefix in sorted(set(prefixes)):
        if seen is not None and prefix.startswith(seen):
            continue  # below a folder that was looked through already
        seen = prefix
        for id, path, _ in gallery.iter_paths(prefix):
            yield id, path, _exists(path)


def _prefix(folder: Path) -> str:
    return "" if folder == Path(".") else f"{str(folder).rstrip(os.sep)}{os.sep}"


def _exists(path: str) -> bool:
    if os.path.lexists(path):
        return True
    frame = split_frame_path(path)
    return frame is not None and os.path.lexists(frame[0])
