"""What a folder of crops says about itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw

from contrawarp_edge.align.crop import FIVE_POINTS, CropContract
from contrawarp_edge.align.store import AlignRecord
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write, atomic_write_text
from contrawarp_edge.inputs.images import (
    CONTACT_SHEET,
    FACES_CSV,
    SKIPPED_TSV,
    read_rgb,
    skipped_line,
)

COLUMNS = (
    "path",
    "source",
    "time",
    "track",
    "score",
    *(f"{name}_{axis}" for name in FIVE_POINTS for axis in "xy"),
)
"""Of ``faces.csv``. Points are fractions of the crop, as in the crop contract."""

_PER_ROW = 12
_MOST_FACES = 144
_TILE = 96


def write_reports(folder: Path, record: AlignRecord, contract: CropContract) -> None:
    """Writes ``faces.csv``, ``skipped.tsv`` and ``contact.png``."""
    files = []
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    for face in record.faces():
        files.append(folder / face.file)
        time = "" if face.time is None else f"{face.time:.3f}"
        points = [f"{value:.5f}" for value in face.points]
        rows.writerow(
            [face.file, face.source, time, face.track, f"{face.score:.3f}", *points]
        )
    atomic_write_text(folder / FACES_CSV, table.getvalue())
    lines = (skipped_line(path, reason) for path, reason in record.skipped())
    atomic_write_text(folder / SKIPPED_TSV, "".join(lines))
    if files:
        step = -(-len(files) // _MOST_FACES)
        buffer = io.BytesIO()
        contact_sheet(files[::step], contract).save(buffer, "PNG")
        atomic_write(folder / CONTACT_SHEET, buffer.getvalue())
    else:
        (folder / CONTACT_SHEET).unlink(missing_ok=True)


def contact_sheet(files: list[Path], contract: CropContract) -> Image.Image:
    """Small pictures side by side, with dots where the contract wants the points.

    Args:
        files: Crops, at least one. Unreadable ones stay grey.
        contract: The crop contract.
    """
    columns = min(_PER_ROW, len(files))
    size = (columns * _TILE, -(-len(files) // columns) * _TILE)
    sheet = Image.new("RGB", size, "grey")
    draw = ImageDraw.Draw(sheet)
    for place, tile in enumerate(_tiles(files)):
        row, column = divmod(place, columns)
        if tile is not None:
            sheet.paste(tile, (column * _TILE, row * _TILE))
        for x, y in contract.five_points:
            x, y = (column + x) * _TILE, (row + y) * _TILE
            draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill=(255, 210, 0))
    return sheet


def _tiles(files: list[Path]) -> Iterator[Image.Image | None]:
    for file in files:
        try:
            yield read_rgb(file).resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        except InputError:
            yield None
