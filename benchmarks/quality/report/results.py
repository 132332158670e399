"""RESULTS.md: tables and verdicts from the runs that are done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.baselines import BASELINES, baseline_path
from benchmarks.quality.plan import PARTS, Plan, Task, all_tasks
from benchmarks.quality.report.plot import plot_curves, plot_search
from benchmarks.quality.report.rows import Row, cell, compare, gain
from benchmarks.wording import say_all
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write, atomic_write_text
from lightly_contrawarp.evaluation.report.templates import render

_COMPARED = (
    ("linear", "Linear probe"),
    ("lfw_auc", "LFW, AUC of the same expression"),
)
_PAIRS = {
    "contrawarp": ("byol", "simclr", "random", "paper", "identity", "no-action-term",
                   "actions-alone", "bumps"),
    "byol-actions": ("byol", "simclr", "contrawarp"),
}  # fmt: skip


def write_results(plan: Plan, target: Path) -> str:
    """Writes ``RESULTS.md``, ``accuracy.svg`` and ``search.svg``.

    Args:
        plan: What the runs share.
        target: Folder to write to.

    Returns:
        A line that says what was written.

    Raises:
        InputError: If no run is done.
    """
    tasks = all_tasks(plan.scale)
    done = {task.name: _read(plan.result(task)) for task in tasks}
    missing = [task for task in tasks if done[task.name] is None]
    if len(missing) == len(tasks):
        raise InputError(f"{plan.out}: no finished run to write results from")
    parts = {part: _rows(tasks, done, part) for part in PARTS}
    unguided = []
    if not plan.sources.landmarks.exists():
        unguided = [task.variant for task in missing
                    if task.variant.landmarks and not task.seed]  # fmt: skip
        missing = [task for task in missing if not task.variant.landmarks]
    baselines, unknown = [], []
    for baseline in BASELINES:
        result = _read(baseline_path(plan, baseline))
        if result is None:
            unknown.append(baseline)
        else:
            baselines.append(Row(baseline.name, baseline.says, [result]))
    runs = [run for run in done.values() if run is not None]
    compared = [*parts["main"], *parts["controls"]]
    searched = any(row.mean(key) for row in compared
                   for key in ("lfw_p10", "pairs_expression"))  # fmt: skip
    text = render(
        "RESULTS.md.j2",
        root=Path(__file__).parent,
        filters={"cell": cell, "gain": gain},
        plan=plan,
        parts=parts,
        compared=compared,
        searched=searched,
        baselines=baselines,
        unknown=unknown,
        facts={
            key: say_all(runs, key)
            for key in ("commit", "hardware", "versions", "precision", "at_a_time")
        },
        hours=sum(run["seconds"] for run in runs) / 3600,
        heads=_heads(parts["ablation"]),
        missing=_count_missing(missing),
        failed=[
            (task.name, plan.reason(task)) for task in missing if plan.reason(task)
        ],
        unguided=unguided,
        verdicts=verdicts(compared),
    )
    atomic_write_text(target / "RESULTS.md", text)
    curves = {row.name: [run["curve"] for run in row.runs] for row in parts["main"]}
    atomic_write(target / "accuracy.svg", plot_curves(curves))
    atomic_write(target / "search.svg", plot_search([*compared, *baselines]))
    return f"{target / 'RESULTS.md'}: {len(runs)} runs, {len(missing)} to be done"


def verdicts(rows: Sequence[Row]) -> list[str]:
    """What the tables say about the claims of the method, in a sentence each."""
    by_name = {row.name: row for row in rows}
    lines = [
        compare(by_name[own], by_name[other], key, label)
        for own, others in _PAIRS.items()
        for other in others
        for key, label in _COMPARED
        if {own, other} <= by_name.keys()
    ]
    return [line for line in lines if line is not None]


def _read(path: Path) -> dict[str, Any] | None:
    return dict(json.loads(path.read_text())) if path.exists() else None


def _rows(
    tasks: Sequence[Task], done: Mapping[str, dict[str, Any] | None], part: str
) -> list[Row]:
    rows: dict[str, Row] = {}
    for task in tasks:
        run = done[task.name]
        if task.part == part and run is not None:
            variant = task.variant
            row = rows.setdefault(variant.name, Row(variant.name, variant.says, []))
            row.runs.append(run)
    return list(rows.values())


def _heads(rows: Sequence[Row]) -> list[tuple[int, float, bool, Row]]:
    """The embedding heads that were judged: what they are, and their scores."""
    judged: dict[tuple[int, float, bool], Row] = {}
    for run in (run for row in rows for run in row.runs):
        for head in run["heads"]:
            kind = head["dim"], head["whiten"], head["actions"]
            row = judged.setdefault(kind, Row("", "", []))
            row.runs.append({**run, "scores": {"embedding": head["scores"]}})
    return [(*kind, row) for kind, row in judged.items()]


def _count_missing(missing: Sequence[Task]) -> list[str]:
    names: dict[str, list[int]] = {}
    for task in missing:
        names.setdefault(f"{task.part}: `{task.variant.name}`", []).append(task.seed)
    return [
        f"{name}, seed {', '.join(map(str, seeds))}" for name, seeds in names.items()
    ]
