"""RESULTS.md: tables and verdicts from the runs that are done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.quality.plot import plot_curves
from benchmarks.quality.runs import PARTS, Task, all_tasks
from benchmarks.quality.scales import Scale
from benchmarks.wording import say_all
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write, atomic_write_text
from lightly_contrawarp.evaluation.report.templates import render

_PERCENT = ("linear", "mean_class", "macro_f1", "knn20", "spatial", "tells_warped",
            "emotion", "same_person_share", "p10_others")  # fmt: skip


@dataclass(frozen=True)
class Mean:
    """A mean over seeds and the half of its 95 % t interval, NaN for fewer than 3."""

    value: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """The mean of at least one value."""
        count = len(values)
        half = float("nan")
        if count > 2:
            quantile = stats.t.ppf(0.975, count - 1)
            half = float(quantile * np.std(values, ddof=1) / np.sqrt(count))
        return cls(float(np.mean(values)), half)

    def is_apart_from(self, other: Mean) -> bool:
        """Whether the two intervals do not touch; never without intervals."""
        return abs(self.value - other.value) > self.half + other.half


@dataclass(frozen=True)
class Row:
    """All finished runs of one variant in one part."""

    says: str
    name: str
    runs: list[dict[str, Any]]

    def mean(self, key: str) -> Mean:
        """A score over the seeds, in percent where it is a share."""
        factor = 100 if key in _PERCENT else 1
        scores = [run["scores"] for run in self.runs]
        return Mean.of([factor * one[key] for one in scores if key in one])

    @property
    def commits(self) -> set[str]:
        """The versions of the code that its runs were made with."""
        return {run["commit"] for run in self.runs}

    @property
    def seconds(self) -> float:
        """Mean training time."""
        return float(np.mean([run["seconds"] for run in self.runs]))

    @property
    def epochs(self) -> float:
        """Passes over the training images."""
        run = self.runs[0]
        return float(run["steps"] * run["scale"]["batch_size"] / run["images"])


def write_results(scale: Scale, folder: Path, target: Path) -> str:
    """Writes ``RESULTS.md`` and ``accuracy.svg``.

    Args:
        scale: The scale.
        folder: Where its runs are.
        target: Folder to write to.

    Returns:
        A line that says what was written.

    Raises:
        InputError: If no run is done.
    """
    tasks = all_tasks(scale)
    done = {task.name: _read(folder, task) for task in tasks}
    missing = [task for task in tasks if done[task.name] is None]
    if len(missing) == len(tasks):
        raise InputError(f"{folder}: no finished run to write results from")
    unguided = {task.variant.name: task.variant for task in missing
                if task.needs_landmarks}  # fmt: skip
    missing = [task for task in missing if not task.needs_landmarks]
    parts = {part: _rows(tasks, done, part) for part in PARTS}
    runs = [run for run in done.values() if run is not None]
    text = render(
        "RESULTS.md.j2",
        root=Path(__file__).parent,
        filters={"cell": _cell, "gain": _gain},
        scale=scale,
        parts=parts,
        facts={key: say_all(runs, key) for key in ("commit", "hardware", "versions")},
        hours=sum(run["seconds"] for run in runs) / 3600,
        missing=_count_missing(missing),
        unguided=unguided.values(),
        verdicts=verdicts(parts["main"], parts["controls"], parts["drawn"]),
    )
    atomic_write_text(target / "RESULTS.md", text)
    curves = {row.name: [run["curve"] for run in row.runs] for row in parts["main"]}
    atomic_write(target / "accuracy.svg", plot_curves(curves))
    return f"{target / 'RESULTS.md'}: {len(runs)} runs, {len(missing)} to be done"


def verdicts(
    main: Sequence[Row], controls: Sequence[Row], drawn: Sequence[Row]
) -> list[str]:
    """What the tables say about the claims of the method, in a sentence each."""
    found = []
    by_name = {row.name: row for row in main}
    own = by_name.get("contrawarp")
    for name in ("byol", "byol-longer", "simclr", "simclr-longer", "random"):
        if own and name in by_name:
            found.append(_compare(own, by_name[name], "linear", "linear probe"))
    still = {row.name: row for row in controls}
    for control, plain in (("identity", "simclr"), ("identity-unpaired", "byol")):
        if control in still and plain in by_name:
            line = _compare(still[control], by_name[plain], "linear", "linear probe")
            found.append(f"Control: {line[0].lower()}{line[1:]}")
    for warped, control in (
        ("contrawarp", "identity"),
        ("contrawarp-k3", "identity-k3"),
    ):
        if warped in by_name and control in still:
            line = _compare(by_name[warped], still[control], "linear", "linear probe")
            found.append(f"What warping adds: {line[0].lower()}{line[1:]}")
    faces = {row.name: row for row in drawn}
    for name in ("byol", "simclr"):
        if {"contrawarp", name} <= faces.keys():
            for key, label in (
                ("emotion", "drawn faces, emotion"),
                ("actions_r2", "drawn faces, R2 of the actions"),
                ("verification_auc", "drawn faces, verification AUC (lower is better)"),
            ):
                found.append(_compare(faces["contrawarp"], faces[name], key, label))
    return found


def _compare(one: Row, other: Row, key: str, label: str) -> str:
    a, b = one.mean(key), other.mean(key)
    digits, unit = (1, " points") if key in _PERCENT else (3, "")
    touch = "do not touch" if a.is_apart_from(b) else "touch"
    mixed = "; of several commits" if len(one.commits | other.commits) > 1 else ""
    return (
        f"{label[0].upper()}{label[1:]}: `{one.name}` {a.value:.{digits}f}, "
        f"`{other.name}` {b.value:.{digits}f}: {a.value - b.value:+.{digits}f}{unit}; "
        f"intervals {touch}{mixed}."
    )


def _read(folder: Path, task: Task) -> dict[str, Any] | None:
    path = folder / f"{task.name}.json"
    return dict(json.loads(path.read_text())) if path.exists() else None


def _rows(
    tasks: Iterable[Task], done: dict[str, dict[str, Any] | None], part: str
) -> list[Row]:
    rows: dict[str, Row] = {}
    for task in tasks:
        run = done[task.name]
        if task.part == part and run is not None:
            variant = task.variant
            row = rows.setdefault(variant.name, Row(variant.says, variant.name, []))
            row.runs.append(run)
    return list(rows.values())


def _cell(row: Row, key: str) -> str:
    if key not in row.runs[0]["scores"]:
        return "-"
    mean = row.mean(key)
    digits = 1 if key in _PERCENT else 3
    half = "" if np.isnan(mean.half) else f" ± {mean.half:.{digits}f}"
    return f"{mean.value:.{digits}f}{half}"


def _gain(row: Row, base: Row, key: str) -> str:
    """Mean difference to the base over the seeds that both have."""
    reference = {run["seed"]: run["scores"][key] for run in base.runs}
    pairs = [
        100 * (run["scores"][key] - reference[run["seed"]])
        for run in row.runs
        if run["seed"] in reference
    ]
    return f"{np.mean(pairs):+.1f}" if pairs else "-"


def _count_missing(missing: Sequence[Task]) -> list[str]:
    names: dict[str, list[int]] = {}
    for task in missing:
        names.setdefault(f"{task.part}: `{task.variant.name}`", []).append(task.seed)
    return [
        f"{name}, seed {', '.join(map(str, seeds))}" for name, seeds in names.items()
    ]
