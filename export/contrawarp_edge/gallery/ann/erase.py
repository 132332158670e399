"""Erasing images that were deleted from the index for approximate search."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np

from contrawarp_edge.core.checksums import file_checksum
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.gallery.ann import ann_index
from contrawarp_edge.gallery.ann.ann_index import AnnFacts
from contrawarp_edge.gallery.ann.lock import lock_path, only_builder, remove_strays
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
    if not (ann_index.facts_path(gallery).exists() or lock_path(gallery).exists()):
        return
    try:
        with only_builder(gallery):
            remove_strays(gallery)
            present = statements.all_ids(connection)
            is_whole = _rewrite(gallery, connection, dim, present)
            # Another process that deleted meanwhile has left it to this one.
            is_whole &= bool(np.isin(present, statements.all_ids(connection)).all())
    except (ImportError, InputError, OSError, RuntimeError):
        is_whole = False  # perhaps it is being built: whoever does looks afterwards
    if not is_whole:
        ann_index.remove_index(gallery)


def _rewrite(
    gallery: Path, connection: sqlite3.Connection, dim: int, present: Rows
) -> bool:
    """Writes the index without other images than some; False if it is of no use."""
    import faiss

    facts = ann_index.believed_facts(gallery, connection, dim)
    if facts is None or ann_index.is_outgrown(
        facts, len(present), statements.count(connection, facts.revision)
    ):
        return False
    index = faiss.read_index(str(gallery.with_name(facts.file)))
    if index.remove_ids(faiss.IDSelectorNot(faiss.IDSelectorBatch(present))):
        _publish(gallery, facts, index)
    return True


def _publish(gallery: Path, facts: AnnFacts, index: object) -> None:
    import faiss

    path = gallery.with_name(f"{gallery.name}-index-{secrets.token_hex(4)}")
    path.touch()
    shutil.copymode(gallery, path)
    faiss.write_index(index, str(path))
    written = replace(
        facts,
        rows=int(index.ntotal),  # type: ignore[attr-defined]
        file=path.name,
        size=path.stat().st_size,
        checksum=file_checksum(path),
    )
    ann_index.write_facts(gallery, written)
