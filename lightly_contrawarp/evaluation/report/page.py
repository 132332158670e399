"""Putting the page together."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightly_contrawarp.evaluation.compare import Comparison
from lightly_contrawarp.evaluation.evaluate import Evaluation
from lightly_contrawarp.evaluation.report import embedding_map
from lightly_contrawarp.evaluation.report.confusion import confusion_rows
from lightly_contrawarp.evaluation.report.pictures import svg
from lightly_contrawarp.evaluation.report.strips import Strips
from lightly_contrawarp.evaluation.report.templates import render
from lightly_contrawarp.evaluation.results import tables
from lightly_contrawarp.evaluation.splits import Split


def render_report(comparison: Comparison) -> str:
    """Renders the page, with everything that it shows inside.

    Args:
        comparison: What came out.

    Returns:
        HTML that needs no network and no other file. It holds images of the test set.
    """
    results = comparison.results
    first = next(iter(comparison.evaluations.values()))
    test = comparison.test.take(first.test.rows)
    strips = Strips(test)
    return render(
        "evaluation/report/report.html.j2",
        data=results.data,
        settings=results.settings,
        versions=results.versions,
        tables=tables(results.encoders),
        encoders=[
            {
                "name": name,
                "facts": one.result.encoder,
                "dim": one.result.dim,
                "omitted": one.result.omitted,
                "confusion": _confusion(one, test),
                "maps": _maps(one, test),
                "searches": strips.search(one.test.values),
            }
            for name, one in comparison.evaluations.items()
        ],
        classes=test.classes,
        points=len(embedding_map.sample_rows(len(test.rows))),
    )


def _confusion(one: Evaluation, test: Split) -> list[dict[str, Any]]:
    run = one.result.linear_probe.runs[0]
    return confusion_rows(run.scores.confusion, test.classes)


def _maps(one: Evaluation, test: Split) -> list[str]:
    rows = embedding_map.sample_rows(len(test.rows))
    places = embedding_map.lay_out(one.test.values[rows])
    if places is None:
        return []
    figures = [embedding_map.map_by_class(places, test.labels[rows], test.classes)]
    if test.people is not None and test.images.identities is not None:
        names = np.unique(test.images.identities).tolist()
        figures.append(embedding_map.map_by_person(places, test.people[rows], names))
    return [svg(figure) for figure in figures]
