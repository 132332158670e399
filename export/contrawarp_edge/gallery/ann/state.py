"""What there is of an index, and whether a gallery could do with a new one."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from contrawarp_edge.core.optional import how_to_install, optional
from contrawarp_edge.core.sqlite.transactions import transaction
from contrawarp_edge.gallery.ann import ann_index, index_file
from contrawarp_edge.gallery.ann.index_file import AnnFacts
from contrawarp_edge.gallery.store import statements
from contrawarp_edge.gallery.store.opened import OpenedFile

HINT = f"{how_to_install('ann')} for quicker, approximate searches"
"""For whoever has a large gallery and no faiss."""


@dataclass(frozen=True)
class AnnState:
    """The index of a gallery at one moment.

    Attributes:
        images: Number of images in the gallery.
        facts: Of an index that is whole and of this gallery; None if there is none.
        newer: How many of the images were embedded after it was built.
    """

    images: int
    facts: AnnFacts | None
    newer: int

    @property
    def is_used(self) -> bool:
        """Whether searches use it."""
        return (
            self.facts is not None
            and self.images >= ann_index.MIN_ROWS
            and not index_file.is_outgrown(self.facts, self.images, self.newer)
            and has_faiss()
        )

    @property
    def is_needed(self) -> bool:
        """Whether a new index would make searches quicker."""
        return self.images >= ann_index.MIN_ROWS and not self.is_used

    def describe(self) -> str:
        """What users may want to know, on one line; empty for a small gallery."""
        if (facts := self.facts) is None:
            reason = "" if has_faiss() else f"; {HINT}"
            return f"none{reason}" if self.images >= ann_index.MIN_ROWS else ""
        text = (
            f"{facts.rows:,} images, finds {facts.recall:.1%} of "
            f"the {ann_index.RECALL_K} nearest, "
            f"{self.newer / max(1, self.images):.1%} newer"
        )
        if self.is_used:
            return text
        if self.images < ann_index.MIN_ROWS:
            return f"{text}; not used below {ann_index.MIN_ROWS:,} images"
        if not has_faiss():
            return f"{text}; not used: {HINT}"
        return f"{text}; not used: too much has changed"


def read_state(gallery: Path) -> AnnState:
    """Looks at the index of a gallery in the same way as its searches do.

    Raises:
        InputError: If the gallery cannot be read.
    """
    file = OpenedFile(gallery, readonly=True)
    dim = int(file.meta["dim"])

    def work(connection: Connection) -> AnnState:
        with transaction(connection, "DEFERRED"):
            images = statements.count(connection)
            facts = index_file.believed_facts(file.place, connection, dim)
            if facts is not None and not index_file.is_whole(file.place, facts):
                facts = None
            newer = statements.count(connection, facts.revision) if facts else 0
        return AnnState(images, facts, newer)

    with closing(file):
        return file.read(work)


def has_faiss() -> bool:
    """Whether an index can be built and used."""
    return optional("faiss") is not None
