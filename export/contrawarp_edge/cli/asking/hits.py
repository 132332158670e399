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
    lines = [f"rank  score  {'id':>{width}}  "]
    lines += [
        f"{rank:>4} {hit.score:>6.3f}  {hit.id:>{width}}  "
        for rank, hit in enumerate(hits, start=1)
    ]
    if any(hit.scores for hit in hits):
        labels = ["expression", *(printable(hit.expression or "") for hit in hits)]
        width = max(map(len, labels))
        lines = [f"{a}{b:<{width}}  " for a, b in zip(lines, labels, strict=True)]
    paths = ["path", *(printable(hit.path) for hit in hits)]
    return "\n".join(a + b for a, b in zip(lines, paths, strict=True))


def as_json(hits: Sequence[Hit]) -> str:
    """A list of objects."""
    return json.dumps(
        [
            {"rank": rank, **asdict(hit), "expression": hit.expression}
            for rank, hit in enumerate(hits, start=1)
        ]
    )


def csv_rows(hits: Sequence[Hit]) -> Iterator[list[object]]:
    """Original paths, and columns ``scores.NAME`` and ``metadata.NAME``."""
    names = sorted({name for hit in hits for name in hit.metadata})
    classes = list(next((hit.scores for hit in hits if hit.scores), ()))
    recognised = ["expression", *(f"scores.{name}" for name in classes)]
    yield [
        *("rank", "id", "score", "path"),
        *(recognised if classes else ()),
        *(f"metadata.{name}" for name in names),
    ]
    for rank, hit in enumerate(hits, start=1):
        values = [_cell(hit.metadata.get(name, "")) for name in names]
        if classes:
            known = [f"{hit.scores[n]:.6f}" if hit.scores else "" for n in classes]
            values = [hit.expression or "", *known, *values]
        yield [rank, hit.id, f"{hit.score:.6f}", hit.path, *values]


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
