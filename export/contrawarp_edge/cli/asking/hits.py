"""Hits as a table, as JSON, and as CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.records import Hit


def as_table(hits: Sequence[Hit]) -> str:
    """Columns to read; paths without control characters."""
    width = max([4, *(len(str(hit.id)) for hit in hits)])
    lines = [f"rank  score  {'id':>{width}}  path"]
    lines += [
        f"{rank:>4} {hit.score:>6.3f}  {hit.id:>{width}}  {printable(hit.path)}"
        for rank, hit in enumerate(hits, start=1)
    ]
    return "\n".join(lines)


def as_json(hits: Sequence[Hit]) -> str:
    """A list of objects."""
    return json.dumps(
        [{"rank": rank, **asdict(hit)} for rank, hit in enumerate(hits, start=1)]
    )


def csv_rows(hits: Sequence[Hit]) -> Iterator[list[object]]:
    """Original paths, and a column ``metadata.NAME`` for all names that occur."""
    names = sorted({name for hit in hits for name in hit.metadata})
    yield ["rank", "id", "score", "path", *(f"metadata.{name}" for name in names)]
    for rank, hit in enumerate(hits, start=1):
        values = [_cell(hit.metadata.get(name, "")) for name in names]
        yield [rank, hit.id, f"{hit.score:.6f}", hit.path, *values]


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
