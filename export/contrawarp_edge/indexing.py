"""Embedding files into a gallery in a way that can be stopped and repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from contrawarp_edge.align.rules import aligner_for
from contrawarp_edge.embedder import Embedder, FileBatch
from contrawarp_edge.errors import InputError
from contrawarp_edge.gallery import Gallery
from contrawarp_edge.inputs.metadata_file import Describe
from contrawarp_edge.inputs.video import frame_path, split_frame_path
from contrawarp_edge.records import Record


@dataclass
class Outcome:
    """What became of the images: how many, and which of them failed why."""

    embedded: int = 0
    unchanged: int = 0
    described: int = 0
    failed: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Images dealt with so far, frames of videos among them."""
        return self.embedded + self.unchanged + len(self.failed)


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

    A file whose path and hash the gallery knows is passed over. Each batch is stored
    before the next, so that an interrupted run loses at most one. The gallery is
    created with the first batch, if there is none.

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

    def known_sha256(path: Path) -> str | None:
        return None if gallery is None else gallery.sha256_of(str(path))

    with ExitStack() as stack:
        if gallery_path.exists():
            gallery = stack.enter_context(_opened(gallery_path, embedder))
            align = _as_before(gallery, align)
        elif not gallery_path.parent.is_dir():
            raise InputError(f"{gallery_path}: its folder does not exist")
        prepare = aligner_for(embedder.info) if align else None
        for batch in embedder.embed_files(
            paths, known_sha256=known_sha256, every=every, prepare=prepare
        ):
            if batch.paths and gallery is None:
                gallery = _created(gallery_path, embedder, aligned=bool(align))
                stack.enter_context(gallery)
                _as_before(gallery, bool(align))
            if gallery is not None:
                outcome.described += _store(gallery, batch, describe)
            outcome.embedded += len(batch.paths)
            outcome.unchanged += len(batch.unchanged)
            outcome.failed += batch.failed
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


def _store(gallery: Gallery, batch: FileBatch, describe: Describe) -> int:
    """Stores a batch and returns of how many images something was said."""
    described = 0
    records = []
    for path in batch.unchanged:
        if facts := describe(path):
            described += 1
            row = gallery.get(str(path))
            if row is not None and not _says(row, facts):
                records.append(_described(gallery, row, facts))
    new = [
        Record(str(path), sha256, embedding)
        for path, sha256, embedding in zip(
            batch.paths, batch.sha256, batch.embeddings, strict=True
        )
    ]
    _delete_outdated_frames(gallery, new)
    for record in new:
        facts = describe(Path(record.path))
        described += bool(facts)
        records.append(_described(gallery, record, facts))
    gallery.add(records)
    return described


def _says(row: Record, facts: dict[str, Any]) -> bool:
    """Whether metadata holds all of some facts."""
    return {**(row.metadata or {}), **facts} == row.metadata


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


def _delete_outdated_frames(gallery: Gallery, new: list[Record]) -> None:
    """Deletes frames of what a video was before it changed."""
    frames = [(split_frame_path(record.path), record.sha256) for record in new]
    videos = {(frame[0], sha256) for frame, sha256 in frames if frame is not None}
    outdated = [
        id
        for video, sha256 in videos
        for id, _, stored in gallery.iter_paths(frame_path(video, 0)[: -len("0.000")])
        if stored != sha256
    ]
    if outdated:
        gallery.delete(outdated)
