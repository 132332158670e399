"""RESULTS.md, from what was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.int8.measuring import BOTH, FP32, WEIGHTS
from benchmarks.int8.runs import RESULT
from benchmarks.int8.scale import Scale
from benchmarks.wording import number, say_all, spread
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write_text
from lightly_contrawarp.evaluation.report.templates import render
from lightly_contrawarp.evaluation.tables import with_interval
from lightly_contrawarp.export.int8.report import ENOUGH_OVERLAP, MIN_OVERLAP


def write_results(scale: Scale, folder: Path, target: Path) -> str:
    """Writes ``RESULTS.md``.

    Args:
        scale: The scale.
        folder: Where its runs are.
        target: Folder to write to.

    Returns:
        A line that says what was written.

    Raises:
        InputError: If nothing was measured.
    """
    paths = {e.backbone: folder / e.backbone / RESULT for e in scale.encoders}
    results: list[dict[str, Any]] = [
        json.loads(path.read_text()) for path in paths.values() if path.exists()
    ]
    if not results:
        raise InputError(f"{folder}: no result to write about; measure something first")
    keys = ("commit", "versions", "hardware", "vnni", "seeds")
    trained = [result["training"] for result in results]
    text = render(
        "RESULTS.md.j2",
        root=Path(__file__).parent,
        filters={"number": number, "spread": spread, "within": _within},
        scale=scale,
        results=results,
        facts={key: say_all(results, key) for key in keys},
        trained={key: say_all(trained, key) for key in ("commit", "hardware")},
        kinds=(FP32, BOTH, WEIGHTS),
        verdicts=verdicts(results),
        missing=[name for name, path in paths.items() if not path.exists()],
        enough=ENOUGH_OVERLAP,
        least=MIN_OVERLAP,
    )
    atomic_write_text(target / "RESULTS.md", text)
    return f"{target / 'RESULTS.md'}: {len(results)} encoders"


def verdicts(results: Sequence[dict[str, Any]]) -> list[str]:
    """What the command does with each encoder, in a sentence each."""
    lines = []
    for result in results:
        shared = {
            kind: f"{100 * result['models'][kind]['agreement']['overlap']['value']:.1f}"
            for kind in (BOTH, WEIGHTS)
        }
        chosen = result["chosen"]
        does = "refuses 8 bits" if result["refused"] else f"writes 8-bit {chosen}"
        lines.append(
            f"`{result['encoder']['backbone']}`: the command {does}; "
            f"{shared[BOTH]} % shared with 8-bit {BOTH}, "
            f"{shared[WEIGHTS]} % with 8-bit {WEIGHTS} alone."
        )
    return lines


def _within(estimate: dict[str, Any], key: str = "value") -> str:
    """Percent with its interval."""
    return with_interval(estimate[key], estimate["interval"])
