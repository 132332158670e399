"""Records as rows of a gallery's table, and found there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from sqlite3 import Connection
from typing import Any, Protocol, TypeVar

import numpy as np

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.sqlite.transactions import transaction
from contrawarp_edge.core.text import is_text
from contrawarp_edge.gallery.records import Record
from contrawarp_edge.gallery.store import row_checks, statements
from contrawarp_edge.gallery.store.row_checks import Row
from contrawarp_edge.model.info import ModelInfo
from contrawarp_edge.search.vectors import are_probabilities, unit_rows

_PAGE = 1024
_T = TypeVar("_T")


class Read(Protocol):
    """Does work with the connection of a gallery, and returns what it returns."""

    def __call__(self, work: Callable[[Connection], _T], /) -> _T:
        """Does it."""


def to_row(record: Record, info: ModelInfo, added: str) -> dict[str, Any]:
    """The values of a record's row, except for its revision.

    Raises:
        InputError: If the embedding is not ``(D,)``, finite and non-zero, the metadata
            is no JSON, or the scores are no probabilities of the model's classes.
    """
    (embedding,) = unit_rows(record.embedding, info.dim)
    scores = record.scores
    if scores and scores.keys() != set(info.classes):
        raise InputError(
            f"{record.path}: scores of {', '.join(scores)}, but the classes of the "
            f"model are {', '.join(info.classes) or 'none'}"
        )
    names = info.classes if scores else ()
    probabilities = np.array([scores[name] for name in names], "<f4")
    if not are_probabilities(probabilities[None]).all():
        raise InputError(f"{record.path}: its scores are no probabilities")
    return {
        "path": record.path,
        "sha256": record.sha256,
        "embedding": embedding.astype("<f4").tobytes(),
        "metadata": record.metadata_json(),
        "added": added,
        "expression": record.expression or "",
        "scores": probabilities.tobytes(),
    }


def find(
    connection: Connection, key: int | str, classes: Sequence[str]
) -> Record | None:
    """The record with an id, or with a path; None if there is none.

    Raises:
        Damage: If its row is damaged.
    """
    if isinstance(key, str):
        row = _row_of(connection, key)
        return None if row is None else _to_record(row, classes)
    if not statements.can_be_id(key):
        return None
    rows = row_checks.select(connection, "WHERE id = ?", (int(key),))
    return _to_record(rows[0], classes) if rows else None


def pages(read: Read, classes: Sequence[str]) -> Iterator[list[Record]]:
    """Yields all records by ascending id, some at a time.

    Args:
        read: Does work with a connection outside a transaction.
        classes: Of the model.

    Raises:
        Damage: If a row is damaged, or not all are there although none was changed.
    """
    after = total = 0
    before = read(_state)
    clause = f"WHERE id > ? ORDER BY id LIMIT {_PAGE:d}"
    while rows := read(partial(row_checks.select, clause=clause, values=(after,))):
        row_checks.check_order((row.id for row in rows), after)
        after = rows[-1].id
        total += len(rows)
        yield [_to_record(row, classes) for row in rows]
    if before == read(_state):
        statements.check_count(total, before[1])


def pages_of_paths(read: Read, prefix: str) -> Iterator[list[tuple[int, str, str]]]:
    """Yields id, path and hash of images by path, some at a time.

    Args:
        read: Does work with a connection outside a transaction.
        prefix: What their paths begin with.

    Raises:
        Damage: If a row is damaged, or not all are there although none was changed.
    """
    after, total = "", 0
    before = read(_state)
    page = partial(statements.page_of_paths, prefix=prefix)
    while rows := read(partial(page, after=after)):
        after = rows[-1][1]
        total += len(rows)
        yield rows
    if not prefix and before == read(_state):
        statements.check_count(total, before[1])


def _state(connection: Connection) -> tuple[int, int]:
    with transaction(connection, "DEFERRED"):
        return statements.revision(connection), statements.count(connection)


def sha256_of(connection: Connection, path: str) -> str | None:
    """The hash stored for a path, or None if the path is unknown.

    Raises:
        Damage: If its row is damaged.
    """
    row = _row_of(connection, path)
    return None if row is None else row.sha256.decode()


def _row_of(connection: Connection, path: str) -> Row | None:
    if not is_text(path):
        return None
    rows = row_checks.select(connection, "WHERE path = ?", (path,))
    return rows[0] if rows else None


def _to_record(row: Row, classes: Sequence[str]) -> Record:
    return Record(
        row.path.decode(),
        row.sha256.decode(),
        row.vector(),
        json.loads(row.metadata),
        row.id,
        row.added.decode(),
        row.probabilities(classes),
    )
