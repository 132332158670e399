"""Images and their expressions as a table, as JSON, and as CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from heapq import nlargest
from operator import itemgetter
from typing import Any

from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.records import Record


def as_table(records: Sequence[Record], top: int) -> str:
    """Columns to read: the most probable classes, at most ``top``, and the path."""
    names = {name: printable(name) for record in records for name in record.scores}
    width, columns = max([4, *map(len, names)]), min(top, len(names))
    heads = [f"{'expression':<{width + 6}}", *["next best".ljust(width + 6)] * top]
    rows = [[*heads[:columns], "path"]]
    for record in records:
        best = nlargest(columns, record.scores.items(), key=itemgetter(1))
        cells = [f"{names[name]:<{width}} {score:.3f}" for name, score in best]
        blank = [" " * (width + 6)] * (columns - len(cells))
        rows.append([*cells, *blank, printable(record.path)])
    if any(record.id is not None for record in records):
        ids = ["id", *(str(record.id) for record in records)]
        digits = max(map(len, ids))
        rows = [[id.rjust(digits), *row] for id, row in zip(ids, rows, strict=True)]
    return "\n".join("  ".join(row) for row in rows)


def as_json(records: Sequence[Record]) -> str:
    """A list of objects; those of a gallery have an id and metadata."""
    return json.dumps([_facts(record) for record in records])


def _facts(record: Record) -> dict[str, Any]:
    facts: dict[str, Any] = {"path": record.path}
    if record.id is not None:
        facts |= {"id": record.id, "metadata": record.metadata}
    label = record.expression
    probability = None if label is None else record.scores[label]
    return facts | {
        "expression": label,
        "probability": probability,
        "scores": record.scores,
    }


def csv_rows(records: Sequence[Record], classes: Sequence[str]) -> Iterator[list[str]]:
    """Original paths, and a column ``scores.NAME`` for all classes."""
    yield ["id", "path", "expression", *(f"scores.{name}" for name in classes)]
    for record in records:
        scores = [f"{record.scores[n]:.6f}" if record.scores else "" for n in classes]
        id = "" if record.id is None else str(record.id)
        yield [id, record.path, record.expression or "", *scores]
