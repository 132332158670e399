"""What became of the photos of earlier runs: whether they were moved or are gone."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from contrawarp_edge.align.naming import crop_names, stem_of
from contrawarp_edge.align.store import AlignRecord
from contrawarp_edge.inputs.loading import sha256_of_file
from contrawarp_edge.inputs.originals import has_entries, original_exists


class EarlierSources:
    """The photos and videos that a record knows, and what this run finds of them.

    Args:
        record: Of the folder of crops.
        roots: Folders that are looked through in this run.
        is_numbered: Whether crops of photos are numbered.
    """

    def __init__(
        self, record: AlignRecord, roots: Sequence[Path], *, is_numbered: bool
    ) -> None:
        self._record = record
        self._roots = roots
        self._is_numbered = is_numbered
        self._met = ""
        self._full_roots: set[str] = set()
        self._elsewhere: set[str] = set()
        self._renamed: set[str] = set()
        self._gone: set[str] = set()
        self._gone_by_hash: dict[str, list[str]] = defaultdict(list)
        self._by_place: dict[str, str] = {}
        for source, sha256 in record.sources():
            if _is_gone(source):
                self._gone.add(source)
                if sha256:  # empty if it could not be read
                    self._gone_by_hash[sha256].append(source)
            else:
                self._by_place[os.path.abspath(source)] = source

    def meet(self, source: Path, name: str) -> None:
        """Recognises a file of this run that the record knows under another path.

        Then the record is told its new path, unless its crops are called otherwise
        there and have to be cut again.

        Args:
            source: The photo or video.
            name: What the record calls it.
        """
        if name == self._met:
            return
        self._met = name
        self._full_roots.update(
            os.path.abspath(root) for root in self._roots if source.is_relative_to(root)
        )
        if self._record.knows(name):
            self._gone.discard(name)  # a name that is no text is stored as another
            return
        before = self._by_place.get(os.path.abspath(source))
        if before is None:
            before = self._moved(source)
            if before is None:
                return
            self._gone.discard(before)
            self._renamed.add(_renamed_folder(before, name))
        if self._has_same_names(before, source):
            self._record.rename(before, name)
        else:
            self._elsewhere.add(before)

    def _moved(self, source: Path) -> str | None:
        """Of the photos that are gone, the one with the content of a file."""
        if not self._gone_by_hash:
            return None
        same = self._gone_by_hash.get(sha256_of_file(source) or "")
        if not same:
            return None
        fitting = (old for old in same if self._has_same_names(old, source))
        chosen = next(fitting, same[0])
        same.remove(chosen)
        return chosen

    def gone(self) -> list[str]:
        """What was deleted or has new crops, once all files of this run were met.

        A photo is not taken for deleted while the whole folder in which it was is
        missing or empty: its disk may be away. It is if another photo of that folder
        was found under another name, or if this run looked through a folder above.
        """
        folders = self._full_roots | self._renamed
        return sorted(
            self._elsewhere
            | {
                source
                for source in self._gone
                if _is_below(source, folders) or _has_others(os.path.dirname(source))
            }
        )

    def _has_same_names(self, old: str, source: Path) -> bool:
        stem = stem_of(source, self._roots)
        rows = self._record.faces_of_source(old)
        for _, frame in groupby(rows, key=lambda row: row.path):
            faces = list(frame)
            names = crop_names(
                stem,
                len(faces),
                is_numbered=self._is_numbered,
                time=faces[0].time,
                tracks=[face.track for face in faces if face.track is not None],
            )
            if sorted(names) != sorted(face.file for face in faces):
                return False
        return True


def _is_gone(path: str) -> bool:
    """Whether there is surely no file: what cannot be looked at may be there."""
    try:
        return not original_exists(path)
    except OSError:
        return False


def _is_below(path: str, folders: set[str]) -> bool:
    parents = Path(os.path.abspath(path)).parents
    return any(str(parent) in folders for parent in parents)


def _has_others(folder: str) -> bool:
    try:
        return has_entries(folder or os.curdir)
    except OSError:
        return False


def _renamed_folder(old: str, new: str) -> str:
    """The folder that is called otherwise in the second of two paths of a file.

    A folder that is still there was not renamed; then this is the file itself.
    """
    olds, news = Path(os.path.abspath(old)).parts, Path(os.path.abspath(new)).parts
    while olds and news and olds[-1] == news[-1]:
        olds, news = olds[:-1], news[:-1]
    folder = os.path.join(*olds) if olds else os.sep
    return os.path.abspath(old) if os.path.lexists(folder) else folder
