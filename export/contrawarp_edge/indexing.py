"""Embedding files into a gallery in a way that can be stopped and repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from contrawarp_edge.embedder import Embedder, FileBatch
from contrawarp_edge.errors import InputError
from contrawarp_edge.gallery import Gallery
from contrawarp_edge.images import iter_images
from contrawarp_edge.records import Record


@dataclass
class Outcome:
    """What became of the files: how many, and which of them failed why."""

    embedded: int = 0
    unchanged: int = 0
    failed: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Files dealt with so far."""
        return self.embedded + self.unchanged + len(self.failed)


def find_images(sources: Sequence[Path]) -> list[Path]:
    """All image files below files and folders, each path once.

    Raises:
        InputError: If a source does not exist or there is no image in any.
    """
    paths = list(dict.fromkeys(path for root in sources for path in iter_images(root)))
    if not paths:
        raise InputError(f"{', '.join(map(str, sources))}: no image files found")
    return paths


def embed_into(
    gallery_path: Path,
    embedder: Embedder,
    paths: Sequence[Path],
    on_batch: Callable[[Outcome], None] = lambda outcome: None,
) -> Outcome:
    """Brings a gallery up to date with files.

    A file whose path and hash the gallery knows is passed over. Each batch is stored
    before the next, so that an interrupted run loses at most one. The gallery is
    created with the first batch, if there is none.

    Args:
        gallery_path: The gallery.
        embedder: The model, the same that the gallery was made with.
        paths: Image files.
        on_batch: Called after each batch.

    Returns:
        What became of the files.

    Raises:
        InputError: If the gallery belongs to another model or cannot be used.
    """
    outcome = Outcome()
    gallery: Gallery | None = None

    def known_sha256(path: Path) -> str | None:
        return None if gallery is None else gallery.sha256_of(str(path))

    with ExitStack() as stack:
        if gallery_path.exists():
            gallery = stack.enter_context(Gallery.open(gallery_path))
            gallery.check_model(embedder.info)
            gallery.model_path = embedder.path.resolve()
        elif not gallery_path.parent.is_dir():
            raise InputError(f"{gallery_path}: its folder does not exist")
        for batch in embedder.embed_files(paths, known_sha256=known_sha256):
            if batch.paths:
                if gallery is None:
                    gallery = stack.enter_context(
                        Gallery.create(gallery_path, embedder.info)
                    )
                    gallery.model_path = embedder.path.resolve()
                gallery.add(_records(batch))
            outcome.embedded += len(batch.paths)
            outcome.unchanged += len(batch.unchanged)
            outcome.failed += batch.failed
            on_batch(outcome)
    return outcome


def _records(batch: FileBatch) -> list[Record]:
    return [
        Record(str(path), sha256, embedding)
        for path, sha256, embedding in zip(
            batch.paths, batch.sha256, batch.embeddings, strict=True
        )
    ]
