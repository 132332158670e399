"""Embedding files into a gallery in a way that can be stopped and repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from contrawarp_edge.align.rules import aligner_for
from contrawarp_edge.core.errors import InputError, NotFoundError
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.records import Record
from contrawarp_edge.ingest.adopt import adopt
from contrawarp_edge.ingest.metadata_file import Describe
from contrawarp_edge.inputs.video import split_frame_path
from contrawarp_edge.model.embedder import Embedder, FileBatch


@dataclass
class Outcome:
    """What became of the images: how many, and which of them failed why.

    Attributes:
        embedded: Images that are new or have changed.
        unchanged: Images that the gallery knew by path and content.
        moved: Images that it knew by their content, from a path where they are no more.
        copied: Images that it knew by their content, from a path where they still are.
        described: Images with metadata, among all of these.
        failed: Images that could not be used, each with the reason.
        may_pass: Those of them that another try may be able to read.
    """

    embedded: int = 0
    unchanged: int = 0
    moved: int = 0
    copied: int = 0
    described: int = 0
    failed: list[tuple[Path, str]] = field(default_factory=list)
    may_pass: list[Path] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Images dealt with so far, frames of videos among them."""
        known = self.unchanged + self.moved + self.copied
        return self.embedded + known + len(self.failed)

    def __str__(self) -> str:
        """How many, in a line."""
        text = (
            f"{self.embedded} embedded, {self.unchanged} unchanged, "
            f"{len(self.failed)} skipped"
        )
        for count, what in ((self.moved, "moved"), (self.copied, "copied")):
            text += f", {count} {what}" if count else ""
        return text


def embed_into(
    gallery_path: Path,
    embedder: Embedder,
    paths: Iterable[Path],
    on_batch: Callable[[Outcome], None] = lambda outcome: None,
    *,
    every: float | None = None,
    describe: Describe = lambda path: {},
    align: bool | None = None,
) -> Outcome:
    """Brings a gallery up to date with files.

    A file whose path and hash the gallery knows is passed over. One whose hash it knows
    from another path is not embedded again either: if no such file is there any more,
    the image keeps its id and metadata and gets the new path, else it is a further
    image. Each batch is stored before the next, so that an interrupted run loses at
    most one. The gallery is created with the first batch, if there is none.

    Args:
        gallery_path: The gallery.
        embedder: The model, the same that the gallery was made with.
        paths: Image files; videos too if ``every`` is given.
        on_batch: Called after each batch.
        every: Seconds between two frames of a video.
        describe: Metadata of a path. It replaces what the gallery has under the same
            names, also where the file is passed over.
        align: Whether to embed the largest face of each photo, cut out as the model
            expects. If None, as the gallery's images were; a new gallery's are not.

    Returns:
        What became of the files. ``described`` counts those with metadata.

    Raises:
        InputError: If the gallery belongs to another model or cannot be used, or
            ``align`` differs from what its images were.
    """
    outcome = Outcome()
    gallery: Gallery | None = None

    def is_known(path: Path, sha256: str) -> bool:
        if gallery is None:
            return False
        is_same = gallery.sha256_of(str(path)) == sha256
        return is_same or bool(gallery.paths.twins(path, sha256))

    lost: list[Path] = []
    with ExitStack() as stack:
        if gallery_path.exists():
            gallery = stack.enter_context(_opened(gallery_path, embedder))
            align = _as_before(gallery, align)
        elif not gallery_path.parent.is_dir():
            raise NotFoundError(f"{gallery_path}: its folder does not exist")
        prepare = aligner_for(embedder.info) if align else None
        batches = partial(embedder.embed_files, every=every, prepare=prepare)
        for batch in chain(batches(paths, is_known=is_known), batches(_each(lost))):
            if batch.paths and gallery is None:
                gallery = _created(gallery_path, embedder, aligned=bool(align))
                stack.enter_context(gallery)
                _as_before(gallery, bool(align))
            if gallery is not None:
                lost += _store(gallery, batch, describe, outcome)
            outcome.failed += batch.failed
            outcome.may_pass += batch.may_pass
            on_batch(outcome)
    return outcome


def _opened(path: Path, embedder: Embedder) -> Gallery:
    gallery = Gallery.open(path)
    try:
        gallery.check_model(embedder.info)
        gallery.model_path = embedder.path.resolve()
    except BaseException:
        gallery.close()
        raise
    return gallery


def _created(path: Path, embedder: Embedder, *, aligned: bool) -> Gallery:
    try:
        Gallery.create(path, embedder.info, aligned=aligned).close()
    except InputError:
        if not path.exists():  # if it does, another process has begun the same
            raise
    return _opened(path, embedder)


def _each(lost: list[Path]) -> Iterator[Path]:
    """Once all others are done: the files, or videos, behind what was lost."""
    for path in dict.fromkeys(lost):
        frame = split_frame_path(str(path))
        yield path if frame is None else Path(frame[0])


def _as_before(gallery: Gallery, align: bool | None) -> bool:
    if align not in (None, gallery.aligned):
        were, option = (
            ("were aligned", "--align")
            if gallery.aligned
            else ("were not aligned", "--no-align")
        )
        raise InputError(
            f"{gallery.path}: its images {were}; use {option}, or embed into a new "
            "gallery"
        )
    return gallery.aligned


def _store(
    gallery: Gallery, batch: FileBatch, describe: Describe, outcome: Outcome
) -> list[Path]:
    """Stores a batch, and returns what has to be embedded after all."""
    fresh = list(zip(batch.paths, batch.sha256, strict=True))
    adopted = adopt(gallery, batch.known, fresh)
    classes = gallery.info.classes
    new = adopted.copies + [
        Record(
            str(path), sha256, embedding, scores=dict(zip(classes, row, strict=True))
        )
        for (path, sha256), embedding, row in zip(
            fresh, batch.embeddings, batch.scores.tolist(), strict=True
        )
    ]
    if adopted.moved:
        gallery.paths.move(adopted.moved)
    records = []
    for record in new:
        facts = describe(Path(record.path))
        outcome.described += bool(facts)
        records.append(_described(gallery, record, facts))
    moved = set(adopted.moved.values())
    for path in [*adopted.unchanged, *moved]:
        facts = describe(path)
        outcome.described += bool(facts)
        row = gallery.get(str(path)) if facts or path in moved else None
        if row is not None:
            record = _described(gallery, replace(row, path=str(path)), facts)
            if record.metadata != row.metadata:
                records.append(record)
    unchanged = set(adopted.unchanged)
    known = [(path, sha256) for path, sha256 in batch.known if path not in unchanged]
    gallery.add(records)
    outcome.embedded += len(fresh)
    outcome.unchanged += len(adopted.unchanged)
    outcome.moved += len(moved)
    outcome.copied += len(adopted.copies)
    if outdated := _outdated_frames(gallery, known + fresh):
        gallery.delete(outdated)
    return adopted.lost


def _described(gallery: Gallery, record: Record, facts: dict[str, Any]) -> Record:
    """A record whose metadata keeps what is stored and not said anew."""
    frame = split_frame_path(record.path)
    if frame is not None:
        facts = {"video": frame[0], "time": frame[1], **facts}
    if not facts:
        return record
    stored = gallery.get(record.path)
    before = (stored.metadata or {}) if stored else {}
    return replace(record, metadata={**before, **facts})


def _outdated_frames(gallery: Gallery, files: list[tuple[Path, str]]) -> list[int]:
    """The ids of frames of what videos were before they changed."""
    frames = [(split_frame_path(str(path)), sha256) for path, sha256 in files]
    videos = {(frame[0], sha256) for frame, sha256 in frames if frame is not None}
    return [
        id
        for video, sha256 in videos
        for id, _, stored in gallery.paths.frames(video)
        if stored != sha256
    ]
