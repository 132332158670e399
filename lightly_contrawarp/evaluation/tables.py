"""Results as tables to read: one for each kind of measure, a row for each encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

Result = Mapping[str, Any]
_Cell = Callable[[Any], str]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: What is measured.
        note: How to read it, in a sentence or two.
        header: Titles of the columns, of which the first names the rows.
        rows: The cells.
    """

    title: str
    note: str
    header: list[str]
    rows: list[list[str]]

    def to_text(self) -> str:
        """The table in columns of equal width, with its title in the corner."""
        lines = [[self.title, *self.header[1:]], *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if column else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )


def tables(results: Mapping[str, Result]) -> list[Table]:
    """Lays out results for reading; percentages, unless a note says otherwise.

    Args:
        results: What `evaluate` measured, by the name of the encoder; all with the
            same settings.

    Returns:
        A table for each kind of measure that was taken; intervals are in brackets.
    """
    makers: dict[str, Callable[[dict[str, Any]], Table]] = {
        "linear_probe": _linear,
        "knn": _neighbours,
        "few_label": _few_label,
        "fine_tuning": _fine_tuning,
        "retrieval": partial(
            _retrieval,
            title="Retrieval",
            note="Test images that have the expression of the test image they are "
            "searched with; mean over the expressions.",
        ),
        "retrieval_other_people": partial(
            _retrieval,
            title="Retrieval, other people",
            note="The same among images of other people only.",
        ),
        "identity": _identity,
        "actions": _actions,
        "triplets": _triplets,
    }
    found = {
        key: {name: result[key] for name, result in results.items() if key in result}
        for key in makers
    }
    return [makers[key](taken) for key, taken in found.items() if taken]


def format_tables(results: Mapping[str, Result]) -> str:
    """The tables as text, one below the other; see `tables`."""
    return "\n\n".join(table.to_text() for table in tables(results))


def percent(fraction: float) -> str:
    """Percent with one decimal, without the sign."""
    return f"{100 * fraction:.1f}"


def with_interval(
    value: float, interval: Any, form: Callable[[float], str] = percent
) -> str:
    """A value and, in brackets, the ends of its interval."""
    low, high = interval
    return f"{form(value)} ({form(low)} to {form(high)})"


def _table(
    title: str,
    note: str,
    taken: Mapping[str, Any],
    columns: Mapping[str, _Cell],
    chance: Sequence[str] | None = None,
) -> Table:
    """A column for each function that makes a cell of what was measured."""
    rows = [
        [name, *(cell(measured) for cell in columns.values())]
        for name, measured in taken.items()
    ]
    if chance:
        rows.append(["chance", *chance])
    return Table(title, note, ["encoder", *columns], rows)


def _first(taken: Mapping[str, Any]) -> Any:
    return next(iter(taken.values()))


def _estimate(
    name: str, form: Callable[[float], str] = percent
) -> Callable[[Result], str]:
    def cell(measured: Result) -> str:
        estimate = measured[name]
        if estimate is None:
            return "-"
        return with_interval(estimate["value"], estimate["interval"], form)

    return cell


_SCORES: dict[str, _Cell] = {
    "accuracy": lambda r: with_interval(r["accuracy"], r["interval"]),
    "mean class": lambda r: with_interval(
        r["mean_class_accuracy"], r["mean_class_interval"]
    ),
    "macro F1": lambda r: with_interval(r["macro_f1"], r["macro_f1_interval"]),
}


def _linear(taken: dict[str, Any]) -> Table:
    return _table(
        "Linear probe",
        "Logistic regression on standardised frozen features.",
        taken,
        {**_SCORES, "features": lambda r: f"{r['feature_size']:,}"},
    )


def _neighbours(taken: dict[str, Any]) -> Table:
    def cell(position: int) -> _Cell:
        return lambda r: _SCORES["accuracy"](r[position]["scores"])

    return _table(
        "Nearest neighbours",
        "Accuracy of a weighted vote of the nearest training images.",
        taken,
        {f"k = {r['k']}": cell(i) for i, r in enumerate(_first(taken))},
    )


def _few_label(taken: dict[str, Any]) -> Table:
    def cell(position: int) -> _Cell:
        return lambda r: (
            f"{percent(r[position]['probe']['accuracy'])} ± "
            f"{percent(r[position]['probe']['spread'])}"
        )

    first = _first(taken)
    return _table(
        "Few labels",
        f"Accuracy of the linear probe, mean of {len(first[0]['probe']['runs'])} draws "
        "of labels ± standard deviation between them.",
        taken,
        {
            f"{r['fraction']:.0%}, {r['images']:,} images": cell(i)
            for i, r in enumerate(first)
        },
    )


def _fine_tuning(taken: dict[str, Any]) -> Table:
    epochs = _first(taken)["settings"]["epochs"]
    return _table(
        "Fine-tuning",
        f"The whole network, trained on the labels; after {epochs} epochs.",
        {name: result["scores"] for name, result in taken.items()},
        _SCORES,
    )


def _retrieval(taken: dict[str, Any], title: str, note: str) -> Table:
    names = {
        "P@1": "precision_at_1",
        "P@10": "precision_at_10",
        "mAP": "mean_average_precision",
    }
    first = _first(taken)
    return _table(
        title,
        note,
        taken,
        {short: _estimate(name) for short, name in names.items()},
        [percent(first[name]["chance"]) for name in names.values()],
    )


def _identity(taken: dict[str, Any]) -> Table:
    first = _first(taken)
    return _table(
        "Identity leakage",
        "Less is better: how well two images of a person are told from images of two "
        "(area under the curve); the person's share of the ten nearest images, at most "
        f"{percent(first['most_possible_share'])}; and mean cosine of one person with "
        "two expressions minus that of two people with one expression.",
        taken,
        {
            "verification": _estimate("verification_auc"),
            "same person": _estimate("same_person_share"),
            "cosine gap": _estimate("cosine_gap", "{:+.3f}".format),
        },
        ["50.0", percent(first["same_person_share"]["chance"]), ""],
    )


def _actions(taken: dict[str, Any]) -> Table:
    def cell(target: str) -> _Cell:
        return lambda r: f"{r['targets'][target]['value']:.3f}"

    return _table(
        "Actions of drawn faces",
        "R2 of ridge regression: 1 is perfect, 0 is the mean.",
        taken,
        {
            "mean": _estimate("mean", "{:.3f}".format),
            **{t.replace("_", " "): cell(t) for t in _first(taken)["targets"]},
        },
    )


def _triplets(taken: dict[str, Any]) -> Table:
    def cell(kind: str) -> _Cell:
        return lambda r: _estimate(kind)(r["by_type"])

    kinds = list(_first(taken)["by_type"])
    return _table(
        "Triplets",
        "Agreement with people on which two of three faces are most alike.",
        taken,
        {
            "all": _estimate("accuracy"),
            **{k.split("_")[0].lower() + " class": cell(k) for k in kinds},
        },
        ["33.3"] * (1 + len(kinds)),
    )
