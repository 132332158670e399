"""Writing the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.regular_files import check_regular
from lightly_contrawarp.evaluation.report.templates import render
from lightly_contrawarp.evaluation.tables import Table
from lightly_contrawarp.export.exported_file import ExportedFile
from lightly_contrawarp.export.int8.report import Int8Report
from lightly_contrawarp.export.model_card.measured import Measured
from lightly_contrawarp.export.recognition import Recognition
from lightly_contrawarp.models.checkpoint import BackboneInfo
from lightly_contrawarp.models.preprocessing import PREPROCESSING

MARK = "<!-- Model card, written by contrawarp-export, which replaces this file. -->"
"""First line of every card: a file without it is never replaced."""


def check_replaceable(path: Path) -> None:
    """Refuses to overwrite a text that somebody wrote by hand.

    Raises:
        InputError: If there is a file that is no card of ``contrawarp-export``.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder, where the model card should go")
    if path.exists():
        check_regular(path)
        with path.open(encoding="utf-8", errors="replace") as file:
            if file.readline().rstrip("\n") != MARK:
                raise InputError(
                    f"{path}: is no model card of contrawarp-export; move it away, "
                    "or leave the card out with --no-card"
                )


def render_card(
    info: BackboneInfo,
    embedding: str,
    training: Mapping[str, Any],
    files: Sequence[ExportedFile],
    *,
    int8: Int8Report | None = None,
    recognition: Recognition | None = None,
    measured: Sequence[Measured] = (),
) -> str:
    """Writes the card of a model as Markdown.

    Args:
        info: What the checkpoint says about its encoder, with the dimensions of the
            embedding.
        embedding: What the embedding is; see `describe`.
        training: What it says about its training; see `training_facts`.
        files: What was exported.
        int8: What quantisation changed, if there is an int8 model.
        recognition: The classifier in the model, if there is one.
        measured: Results on labelled images.
    """
    return render(
        "export/model_card/card.md.j2",
        filters={"markdown": _markdown, "cell": _cell},
        mark=MARK,
        info=info,
        embedding=embedding,
        preprocessing=PREPROCESSING,
        training=training,
        files=files,
        int8=int8,
        recognition=recognition,
        learned_labels="num_classes" in training,  # with a classifier on top of it
        measured=measured,
    )


def _markdown(table: Table) -> str:
    lines = [table.header, ["---", *["---:"] * (len(table.header) - 1)], *table.rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: Any) -> str:
    """One line without the sign that ends a cell."""
    return " ".join(str(value).split()).replace("|", "\\|")
