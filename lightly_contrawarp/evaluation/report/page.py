"""Putting the page together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped

from lightly_contrawarp.evaluation.compare import Comparison
from lightly_contrawarp.evaluation.evaluate import Evaluation
from lightly_contrawarp.evaluation.measures.recognition import RecognitionResult
from lightly_contrawarp.evaluation.report import embedding_map
from lightly_contrawarp.evaluation.report.confusion import confusion_rows
from lightly_contrawarp.evaluation.report.pictures import svg
from lightly_contrawarp.evaluation.report.reliability import reliability_diagram
from lightly_contrawarp.evaluation.report.strips import Strips
from lightly_contrawarp.evaluation.report.templates import render
from lightly_contrawarp.evaluation.results import SEARCHED, searched_tables, tables
from lightly_contrawarp.evaluation.splits import Split
from lightly_contrawarp.evaluation.statistics.arrays import Floats


def render_report(comparison: Comparison) -> str:
    """Renders the page, with everything that it shows inside.

    Args:
        comparison: What came out.

    Returns:
        HTML that needs no network and no other file. It holds images of the test set.
    """
    results = comparison.results
    test = comparison.tested
    strips = Strips(test) if test else None
    searched = {
        name: Strips(comparison.found(name), other_people=True)
        for name in results.searched
    }
    return render(
        "evaluation/report/report.html.j2",
        data=results.data,
        searched=results.searched,
        settings=results.settings,
        versions=results.versions,
        unreadable=results.unreadable,
        tables=tables(results.encoders),
        searched_tables=searched_tables(results.encoders),
        searched_title=SEARCHED,
        encoders=[
            {
                "name": name,
                "facts": one.result.encoder,
                "dim": one.result.dim,
                "omitted": one.result.omitted,
                "recognition": _recognition(one.result.measures),
                "probed": _probed(one, test, strips) if test and strips else None,
                "searched": {
                    title: {
                        "omitted": one.result.searched[title].omitted,
                        "recognition": _recognition(
                            one.result.searched[title].measures
                        ),
                        "searches": found.search(one.searched[title].values),
                    }
                    for title, found in searched.items()
                },
            }
            for name, one in comparison.evaluations.items()
        ],
        classes=test.classes if test else [],
        points=len(embedding_map.sample_rows(len(test.rows))) if test else 0,
    )


def _probed(one: Evaluation, test: Split, strips: Strips) -> dict[str, Any]:
    """The parts of the page that come from the test set of the probes."""
    assert one.probed is not None
    values = one.probed.test.values
    probe = one.result.linear_probe
    figure = reliability_diagram(probe.calibration) if probe.calibration else None
    return {
        "confusion": confusion_rows(probe.runs[0].scores.confusion, test.classes),
        "reliability": figure and svg(figure),
        "maps": _maps(values, test),
        "searches": strips.search(values),
    }


def _recognition(measures: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same of the model's own probabilities, if it has any."""
    found: RecognitionResult | None = measures.get("recognition")
    return (
        None
        if found is None
        else {
            "classes": found.classes,
            "confusion": confusion_rows(found.scores.confusion, found.classes),
            "reliability": svg(reliability_diagram(found.calibration)),
        }
    )


def _maps(values: Shaped[Floats, "n d"], test: Split) -> list[str]:
    rows = embedding_map.sample_rows(len(test.rows))
    places = embedding_map.lay_out(values[rows])
    if places is None:
        return []
    figures = [embedding_map.map_by_class(places, test.labels[rows], test.classes)]
    if test.people is not None and test.images.identities is not None:
        names = np.unique(test.images.identities).tolist()
        figures.append(embedding_map.map_by_person(places, test.people[rows], names))
    return [svg(figure) for figure in figures]
