"""Erasing images that were deleted from the index for approximate search."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from contrawarp_edge.core.drafts import Draft
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.gallery.ann import index_file
from contrawarp_edge.gallery.store import statements
from contrawarp_edge.search.vectors import Rows


def erase_deleted(gallery: Path, connection: sqlite3.Connection, dim: int) -> None:
    """Leaves nothing in the index of what is no longer in the gallery.

    The index is written anew, so that large galleries stay quick; where that cannot be
    done, for want of faiss or of room, it is removed.

    Args:
        gallery: The gallery file.
        connection: To the gallery, in autocommit mode.
        dim: Length of its embeddings.

    Raises:
        OSError: If a file cannot be removed.
    """
    if not index_file.has_files(gallery):
        return
    try:
        with index_file.only_writer(gallery) as draft:
            present = statements.all_ids(connection)
            is_clean = _rewrite(gallery, draft, connection, dim, present)
            # Another process that deleted meanwhile has left it to this one.
            is_clean &= bool(np.isin(present, statements.all_ids(connection)).all())
    except (InputError, OSError, RuntimeError):
        is_clean = False  # perhaps it is being built: whoever does looks afterwards
    if not is_clean:
        index_file.remove_index(gallery)


def _rewrite(
    gallery: Path,
    draft: Draft,
    connection: sqlite3.Connection,
    dim: int,
    present: Rows,
) -> bool:
    """Writes the index without other images than some; False if it is of no use."""
    faiss = index_file.required_faiss()
    facts = index_file.believed_facts(gallery, connection, dim)
    if facts is None or index_file.is_outgrown(
        facts, len(present), statements.count(connection, facts.revision)
    ):
        return False
    if not index_file.is_whole(gallery, facts):
        return False
    index = faiss.read_index(str(index_file.file_of(gallery, facts)))
    if index.remove_ids(faiss.IDSelectorNot(faiss.IDSelectorBatch(present))):
        index_file.publish(gallery, draft, index, facts)
    return True
