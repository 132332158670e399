"""The files of a gallery's index: what they are, whether they hold, and writing them.

Two files: the index itself, named anew each time, and the facts, which name it. The
facts are written last, and who writes holds their draft, so there is one writer only.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from contrawarp_edge.core.checksums import file_checksum
from contrawarp_edge.core.drafts import Draft, draft_of, draft_path
from contrawarp_edge.core.errors import BusyError
from contrawarp_edge.core.files import write_durably
from contrawarp_edge.core.optional import required
from contrawarp_edge.gallery.store import statements
from contrawarp_edge.gallery.store.gallery_file import beside

_MAX_CHANGED = 0.1


@dataclass(frozen=True)
class AnnFacts:
    """What an index is, stored beside it.

    Attributes:
        revision: The revision of the gallery that was indexed.
        token: The mark of that revision, in hex digits.
        dim: Length D of the embeddings.
        rows: Number of images indexed.
        lists: Number of cells that the vectors are divided into.
        probes: Number of cells that are searched for one query.
        recall: Share of the ten nearest images that is found, measured when built.
        file: Name of the index file beside the gallery.
        size: Of that file, in bytes.
        checksum: Of that file.
    """

    revision: int
    token: str
    dim: int
    rows: int
    lists: int
    probes: int
    recall: float
    file: str
    size: int
    checksum: int


def required_faiss() -> Any:
    """The module of faiss.

    Raises:
        InputError: If it is not installed.
    """
    return required("faiss", "ann", "an index needs faiss")


def facts_path(gallery: Path) -> Path:
    """Where the facts of a gallery's index are."""
    return beside(gallery, "-index.json")


def file_of(gallery: Path, facts: AnnFacts) -> Path:
    """Where the index is that facts are of."""
    return facts_path(gallery).with_name(facts.file)


def read_facts(gallery: Path) -> AnnFacts | None:
    """The facts of a gallery's index, None if there is none or they are damaged."""
    try:
        stored = json.loads(facts_path(gallery).read_text(encoding="utf-8"))
        checksum = stored.pop("facts_checksum")
        facts = AnnFacts(**stored)
        return facts if checksum == _checksum(facts) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # whatever it holds instead


def _checksum(facts: AnnFacts) -> int:
    return zlib.crc32(json.dumps(asdict(facts)).encode())


def believed_facts(
    gallery: Path, connection: sqlite3.Connection, dim: int
) -> AnnFacts | None:
    """The facts of an index that is of this gallery, None if there is none.

    Whether its file is whole as well, only ``is_whole`` tells, which reads all of it.

    Args:
        gallery: The gallery file.
        connection: To the gallery, inside a transaction.
        dim: Length of its embeddings.
    """
    facts = read_facts(gallery)
    if facts is None or facts.dim != dim or Path(facts.file).name != facts.file:
        return None
    token = statements.token(connection, facts.revision)
    return facts if token is not None and token.hex() == facts.token else None


def is_whole(gallery: Path, facts: AnnFacts) -> bool:
    """Whether the file of an index is as it was written.

    faiss would end the process over some damaged files.
    """
    path = file_of(gallery, facts)
    try:
        size = path.stat().st_size
        return size == facts.size and file_checksum(path) == facts.checksum
    except OSError:
        return False


def is_outgrown(facts: AnnFacts, images: int, newer: int) -> bool:
    """Whether so much has changed since an index was built that it is not used.

    Args:
        facts: What the index is.
        images: Number of images in the gallery.
        newer: How many of them were embedded later. The others that were indexed are
            gone, and candidates that are gone leave fewer for the hits.
    """
    gone = facts.rows - (images - newer)
    return max(newer, gone) > _MAX_CHANGED * images


@contextmanager
def only_writer(gallery: Path) -> Iterator[Draft]:
    """Keeps other processes from writing the index of a gallery meanwhile.

    What killed writers left is removed first.

    Yields:
        The draft of the facts, for ``publish``.

    Raises:
        BusyError: If another process writes it.
        OSError: If the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            draft = stack.enter_context(draft_of(facts_path(gallery), seconds=0))
        except BusyError as error:
            raise BusyError(f"{gallery}: its index is being built") from error
        facts = read_facts(gallery)
        for path in index_files(gallery):
            if facts is None or path.name != facts.file:
                with suppress(OSError):
                    path.unlink()
        yield draft


def publish(gallery: Path, draft: Draft, index: Any, facts: AnnFacts) -> AnnFacts:
    """Makes an index the one that is used, and removes the one before.

    Args:
        gallery: The gallery file.
        draft: Of the facts; see ``only_writer``.
        index: The ``faiss.IndexIVF``.
        facts: What it is; all that its file decides is filled in.

    Returns:
        The facts as they were written.

    Raises:
        OSError: If the files cannot be written.
        RuntimeError: The same, in the words of faiss.
    """
    path = beside(gallery, f"-index-{secrets.token_hex(4)}")
    before = read_facts(gallery)
    try:
        path.touch()
        shutil.copymode(gallery, path)  # faces of a private gallery stay private
        required_faiss().write_index(index, str(path))
        facts = replace(
            facts,
            rows=index.ntotal,
            file=path.name,
            size=path.stat().st_size,
            checksum=file_checksum(path),
        )
        stored = {**asdict(facts), "facts_checksum": _checksum(facts)}
        write_durably(draft.path, json.dumps(stored, indent=2).encode() + b"\n")
        draft.publish(facts_path(gallery))
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    if before is not None:
        with suppress(OSError):
            file_of(gallery, before).unlink()
    return facts


def index_files(gallery: Path) -> list[Path]:
    """The files beside a gallery that are, or were to be, an index of it."""
    start = beside(gallery, "-index-")
    pattern = re.compile(re.escape(start.name) + "[0-9a-f]{8}")
    return [path for path in start.parent.iterdir() if pattern.fullmatch(path.name)]


def has_files(gallery: Path) -> bool:
    """Whether there is an index, or one is being built."""
    path = facts_path(gallery)
    return path.exists() or draft_path(path).exists()


def remove_index(gallery: Path) -> None:
    """Removes the index of a gallery, and what is unfinished of another.

    Raises:
        OSError: If a file cannot be removed.
    """
    for path in (facts_path(gallery), *index_files(gallery)):
        path.unlink(missing_ok=True)
