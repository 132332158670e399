"""Taking images out of a gallery whose files are gone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.paths.places import absolute, below
from contrawarp_edge.inputs.originals import has_entries, original_exists

_UNSETTLED = "it is not known from where its path goes on"


@dataclass
class Pruned:
    """What became of the images.

    Attributes:
        kept: Images whose file is there.
        gone: Paths of those whose file is gone; they are deleted.
        unsure: Number of those that stay because nobody can tell, by their folder and
            the reason.
    """

    kept: int = 0
    gone: list[str] = field(default_factory=list)
    unsure: Counter[tuple[str, str]] = field(default_factory=Counter)

    def doubts(self) -> list[str]:
        """How many are kept though not found, and why; a line for each folder."""
        return [
            f"kept {count:,} of {folder}: {why}"
            for (folder, why), count in self.unsure.items()
        ]


def prune(
    gallery: Gallery,
    folders: Sequence[Path] = (),
    *,
    dry_run: bool = False,
    even_all: bool = False,
    force: bool = False,
) -> Pruned:
    """Deletes images whose files are gone.

    Only what is known not to be there is gone. An image stays if its file cannot be
    looked for, such as for want of permission. It also stays if its whole folder is
    missing or empty, since its disk may be away; but below one of ``folders`` that is
    there itself, a folder that is missing was removed.

    Args:
        gallery: The gallery.
        folders: Only images below these folders; all if empty.
        dry_run: Delete nothing.
        even_all: Go on even if no file at all is there.
        force: The same, and also delete images whose folders are missing or empty.

    Returns:
        What was, or would be, deleted.

    Raises:
        InputError: If no file is there: then a disk is rather missing than its files.
    """
    result, ids, absent = Pruned(), [], 0
    is_settled = gallery.paths.places.is_settled
    roots = _distinct(gallery, folders)
    doubt = lru_cache(4096)(partial(_doubt, roots=roots))
    for id, path in _images(gallery, roots):
        folder = os.path.dirname(path) or os.curdir
        try:
            if original_exists(path):
                result.kept += 1
                continue
            why = None
            if not force:
                why = doubt(absolute(folder)) if is_settled else _UNSETTLED
            absent += why is not None
        except OSError as error:
            why = error.strerror or str(error)
        if why is not None:
            result.unsure[folder, why] += 1
        else:
            result.gone.append(path)
            ids.append(id)
    if (result.gone or absent) and not (result.kept or even_all or force):
        examples = [*result.gone, *(folder for folder, _ in result.unsure)]
        raise InputError(
            f"{gallery.path}: none of its {len(ids) + absent} files is there, such as "
            f"{examples[0]}; is a disk missing? If not, use --force"
        )
    if not dry_run:
        gallery.delete(ids)
    return result


def _distinct(gallery: Gallery, folders: Sequence[Path]) -> list[str]:
    """Folders as the gallery names them, without those that lie in others."""
    found: list[str] = []
    for folder in sorted(map(gallery.paths.places.canonical, folders), key=len):
        if not any(folder == one or below(folder, one) for one in found):
            found.append(folder)
    return found


def _images(gallery: Gallery, roots: Sequence[str]) -> Iterator[tuple[int, str]]:
    for rows in map(gallery.iter_paths, roots) if roots else [gallery.iter_paths()]:
        for id, path, _ in rows:
            yield id, path


def _doubt(folder: str, roots: Sequence[str]) -> str | None:
    """Why a file that is not in a folder may be somewhere nevertheless.

    Raises:
        OSError: If the folder cannot be looked into.
    """
    try:
        return None if has_entries(folder) else "the folder is empty"
    except FileNotFoundError:
        pass
    root = next((one for one in roots if below(folder, one) is not None), folder)
    while len(folder) > len(root) and not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    # If what is left of the way to it is empty, a disk may have been mounted there.
    is_removed = os.path.lexists(folder) and has_entries(folder)
    return None if is_removed else "the folder is missing"
