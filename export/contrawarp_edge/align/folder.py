"""Aligning files into a folder in a way that can be stopped and repeated."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from contrawarp_edge.align.detector import require_detector
from contrawarp_edge.align.earlier_photos import EarlierSources
from contrawarp_edge.align.naming import crop_names, distinct, is_too_long, stem_of
from contrawarp_edge.align.reports import write_reports
from contrawarp_edge.align.rules import AlignedFace, Rules, align_photo
from contrawarp_edge.align.store import AlignRecord, FaceRow
from contrawarp_edge.align.tracks import link
from contrawarp_edge.core.drafts import remove_stale_drafts
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write
from contrawarp_edge.core.text import as_text
from contrawarp_edge.inputs.loading import LoadedFile, Pixels, load_files
from contrawarp_edge.inputs.video import split_frame_path

_QUALITY = 95

# What the system says of a name that is too long or has letters it does not take, and
# where a file is in the place of a folder, or the other way round.
_OF_NAMES = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}
_OF_NAMES |= {errno.EEXIST, errno.EISDIR, errno.ENOTDIR}


@dataclass
class AlignOutcome:
    """What became of photos and frames.

    Attributes:
        faces: Crops that were written.
        photos: Photos and frames looked at, unchanged ones among them.
        unchanged: Those that were done before.
        gone: Photos and videos of earlier runs that are gone, and their crops with
            them.
        skipped: What was not used and why, in earlier runs too.
    """

    faces: int = 0
    photos: int = 0
    unchanged: int = 0
    gone: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


def align_into(
    folder: Path,
    paths: Iterable[Path],
    rules: Rules,
    on_photo: Callable[[AlignOutcome], None] = lambda outcome: None,
    *,
    every: float | None = None,
    roots: Sequence[Path] = (),
) -> AlignOutcome:
    """Brings a folder of crops up to date with photos and videos.

    A photo or frame whose path and hash the folder's record knows is passed over, if
    its crops are still there. The others are recorded one by one, so that a run that
    was killed is continued by repeating it. Photos that were moved are known by their
    hash, and crops of photos that are gone are erased. At the end, ``faces.csv``,
    ``skipped.tsv`` and ``contact.png`` are written about the folder.

    Args:
        folder: Where crops go; it has to be new, empty, or of an earlier run.
        paths: Photos, and videos if ``every`` is given.
        rules: What a face has to be like; the same in every run.
        on_photo: Called after each photo or frame.
        every: Seconds between two frames of a video.
        roots: Folders in which ``paths`` keep their place.

    Returns:
        What was done in this run.

    Raises:
        InputError: If the folder cannot be used, or there is no detector.
    """
    require_detector()
    _check_outside(folder, roots)
    outcome = AlignOutcome()
    with closing(AlignRecord(folder, _settings(rules))) as record:
        earlier = EarlierSources(record, roots, is_numbered=rules.all_faces)

        def meet(path: Path, name: str) -> None:
            frame = split_frame_path(name)
            source = (path, name) if frame is None else (Path(frame[0]), frame[0])
            earlier.meet(*source)

        def is_known(path: Path, sha256: str) -> bool:
            name = as_text(path)
            meet(path, name)
            faces = record.faces_of(name)
            there = all((folder / face.file).is_file() for face in faces)
            return there and record.sha256_of(name) == sha256

        remove_stale_drafts(folder)
        work = _Work(folder, record, rules, roots)
        try:
            look = partial(_look, rules=rules)
            for photo in load_files(paths, is_known, look, every):
                if photo.file.problem:  # nobody asked whether it is known
                    meet(photo.file.path, as_text(photo.file.path))
                work.do(photo, outcome)
                on_photo(outcome)
            outcome.gone = work.forget(earlier.gone())
        finally:
            write_reports(folder, record, rules.contract)
    return outcome


def _check_outside(folder: Path, roots: Sequence[Path]) -> None:
    for root in roots:
        if folder.resolve().is_relative_to(root.resolve()):
            raise InputError(f"{folder}: lies in {root}, whose images are aligned")


def _settings(rules: Rules) -> dict[str, object]:
    return {**asdict(rules), "contract": rules.contract.name}


@dataclass(frozen=True)
class _Photo:
    """A photo or frame, and the faces in it, without its pixels."""

    file: LoadedFile
    is_unchanged: bool = False
    faces: list[AlignedFace] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def _look(file: LoadedFile, rules: Rules) -> _Photo:
    if file.pixels is None:
        return _Photo(file, is_unchanged=not file.problem)
    faces, reasons = align_photo(file.pixels, rules)
    return _Photo(replace(file, pixels=None), faces=faces, reasons=reasons)


class _Work:
    """Photos and frames in their order; remembers the frame before."""

    def __init__(
        self, folder: Path, record: AlignRecord, rules: Rules, roots: Sequence[Path]
    ) -> None:
        self._folder = folder
        self._record = record
        self._rules = rules
        self._roots = roots
        self._before = ""

    def do(self, photo: _Photo, outcome: AlignOutcome) -> None:
        """Deals with one photo or frame."""
        file, faces, reasons = photo.file, photo.faces, photo.reasons
        path = as_text(file.path)
        outcome.photos += 1
        before, self._before = self._before, path
        if file.problem:
            self._store(path, path, "", [file.problem], [])
            outcome.skipped.append((path, file.problem))
            return
        if photo.is_unchanged:
            outcome.unchanged += 1
            outcome.skipped += [(path, why) for why in self._record.reasons_of(path)]
            return
        frame = split_frame_path(path)
        source, time = (path, None) if frame is None else frame
        tracks = [] if frame is None else self._tracks(before, source, faces)
        names = self._names(Path(source), path, len(faces), time, tracks)
        rows = [
            FaceRow(
                file=name,
                path=path,
                source=source,
                time=time,
                track=tracks[place] if tracks else None,
                score=face.face.score,
                points=face.points.ravel().tolist(),
                box=face.face.box,
            )
            for place, (name, face) in enumerate(zip(names, faces, strict=True))
        ]
        # Before the crops, so that none is ever there of which nothing is known.
        self._store(path, source, file.sha256, reasons, rows)
        if problem := self._write(names, faces):
            self._store(path, path, "", [problem], [])
            outcome.skipped.append((path, problem))
            return
        outcome.faces += len(faces)
        outcome.skipped += [(path, reason) for reason in reasons]

    def _store(
        self,
        path: str,
        source: str,
        sha256: str,
        reasons: list[str],
        rows: list[FaceRow],
    ) -> None:
        self._record.store(path, source, sha256, reasons, rows, self._remove)

    def forget(self, sources: Sequence[str]) -> int:
        """Erases what there is of photos and videos, and returns how many they were."""
        self._record.forget(sources, self._remove)
        return len(sources)

    def _remove(self, name: str) -> None:
        """Removes a crop, and the folders that are empty then."""
        file = self._folder / name
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            if error.errno not in _OF_NAMES:  # of one that cannot be, there is no file
                raise
        for folder in file.relative_to(self._folder).parents[:-1]:
            with suppress(OSError):
                (self._folder / folder).rmdir()

    def _write(self, names: Sequence[str], faces: Sequence[AlignedFace]) -> str | None:
        """Writes crops; says so if the file system does not take one of their names."""
        for name, face in zip(names, faces, strict=True):
            try:
                _write(self._folder / name, face.pixels)
            except (InputError, OSError) as error:
                cause = error.__cause__ if isinstance(error, InputError) else error
                if not isinstance(cause, OSError) or cause.errno not in _OF_NAMES:
                    raise  # no room, for one: it would be the same with all others
                return f"its crop cannot be named {name}: {cause.strerror}"
        return None

    def _tracks(
        self, before: str, source: str, faces: Sequence[AlignedFace]
    ) -> list[int]:
        previous = {}
        if (split_frame_path(before) or ("",))[0] == source:
            rows = self._record.faces_of(before)
            previous = {row.track: row.box for row in rows if row.track is not None}
        boxes = [face.face.box for face in faces]
        return link(previous, boxes, self._record.last_track() + 1)

    def _names(
        self,
        source: Path,
        path: str,
        count: int,
        time: float | None,
        tracks: Sequence[int],
    ) -> list[str]:
        def names(stem: PurePosixPath) -> list[str]:
            return crop_names(
                stem,
                count,
                is_numbered=self._rules.all_faces,
                time=time,
                tracks=tracks,
            )

        stem = stem_of(source, self._roots)
        found = names(stem)
        owners = {self._record.owner_of(name) for name in found} - {None, path}
        if owners or any(map(is_too_long, found)):
            return names(distinct(stem, source))
        return found


def _write(file: Path, pixels: Pixels) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    atomic_write(file, buffer.getvalue())
