"""The demo's page: views, loss curve, table and search results in one file."""

from __future__ import annotations

import csv
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib.figure import Figure
from PIL import Image

from contrawarp_edge import Embedder, Gallery
from contrawarp_edge.core.files import atomic_write_text
from lightly_contrawarp.data.sample_faces import sample_faces
from lightly_contrawarp.demo.steps import DemoFiles, DemoSettings, read_json
from lightly_contrawarp.evaluation.encoder_result import EncoderResult
from lightly_contrawarp.evaluation.measures.retrieval import RetrievalResult
from lightly_contrawarp.evaluation.report.pictures import data_uri, svg
from lightly_contrawarp.evaluation.report.templates import render
from lightly_contrawarp.evaluation.results import tables
from lightly_contrawarp.evaluation.statistics.intervals import Estimate
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
from lightly_contrawarp.transforms.preview import preview_sheet

GOAL = 0.10
"""By how much the probe is expected to beat random initialisation."""

SEARCH_GOAL = 0.45
"""Share of the ten nearest faces of other people that is expected to look alike."""

_HITS = 8
_CURVES = {
    "train/loss": "loss",
    "train/action": "error of the actions",
    "train/top1": "own warp ranked first",
}


def write_report(files: DemoFiles, settings: DemoSettings) -> str:
    """Writes ``report.html`` and returns the verdict in two sentences."""
    results = {
        name: EncoderResult.from_dict(content, f"{files.evaluation}: {name}")
        for name, content in read_json(files.evaluation).items()
    }
    trained, taught, untrained = results.values()  # in the order of being opened
    verdict = " ".join(
        (
            judge(trained.linear_probe.accuracy, untrained.linear_probe.accuracy),
            judge_search(*map(_precision, (trained, taught))),
        )
    )
    page = render(
        "demo/report.html.j2",
        verdict=verdict,
        settings=settings,
        tables=tables(results),
        views=data_uri(_views(files, settings)),
        curve=_loss_curve(files.run),
        searches=_searches(files),
        times=read_json(files.times),
        versions={
            name: version(name)
            for name in ("lightly-contrawarp", "torch", "lightly", "onnxruntime")
        },
        machine=f"{platform.machine()}, {torch.get_num_threads()} threads",
    )
    atomic_write_text(files.report, page)
    return verdict


def judge(trained: float, untrained: float) -> str:
    """Says whether the trained encoder beats the untrained one as expected.

    Args:
        trained: Accuracy of the linear probe on the trained encoder, as a fraction.
        untrained: The same of the untrained one.

    Returns:
        One sentence with both accuracies in percent.
    """
    gain = trained - untrained
    tail = "as expected" if gain >= GOAL else f"less than the {GOAL:.0%} expected"
    return (
        f"Linear probe on unseen identities: {trained:.1%} after pre-training, "
        f"{untrained:.1%} untrained; {gain * 100:+.1f} points, {tail}."
    )


def judge_search(unlabelled: Estimate, taught: Estimate) -> str:
    """Says whether a search finds the expression of the query on other people.

    Args:
        unlabelled: Share of the ten nearest faces with the embedding as it was trained.
        taught: The same of the embedding that labels have taught.

    Returns:
        One sentence with both in percent, and what chance would give.
    """
    enough = taught.value >= SEARCH_GOAL
    tail = "as expected" if enough else f"less than the {SEARCH_GOAL:.0%} expected"
    return (
        f"Search among other people, of the ten nearest: {unlabelled.value:.1%} with "
        f"the expression of the query without labels, {taught.value:.1%} taught by "
        f"labels, {taught.chance:.1%} by chance; {tail}."
    )


def _precision(result: EncoderResult) -> Estimate:
    found: RetrievalResult = result.measures["retrieval_other_people"]
    return found.precision_at_10


def _views(files: DemoFiles, settings: DemoSettings) -> Image.Image:
    torch.manual_seed(0)
    transform = ContraWarpTransform(settings.input_size)
    return preview_sheet(sample_faces(files.train, 4), transform)


def _loss_curve(run: Path) -> str:
    """What was logged over the steps of all parts of a run."""
    rows: list[dict[str, str]] = []
    for path in run.glob("csv/version_*/metrics.csv"):
        with path.open(newline="") as file:
            rows += [row for row in csv.DictReader(file) if row.get("train/loss")]
    rows.sort(key=lambda row: int(row["step"]))
    names = [name for name in _CURVES if all(row.get(name) for row in rows)]
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(4 * len(names), 2.8), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(names)), names, strict=True):
            values = [float(row[name]) for row in rows]
            axes.plot([int(row["step"]) for row in rows], values, linewidth=0.8)
            axes.set(xlabel="step", ylabel=_CURVES[name])
        return svg(figure)


def _searches(files: DemoFiles) -> list[dict[str, Any]]:
    """For one test face of each expression, the most similar faces of other people."""
    embedder = Embedder(files.model)
    found = []
    with Gallery.open(files.gallery, readonly=True) as gallery:
        for folder in sorted(path for path in files.test.iterdir() if path.is_dir()):
            query = min(folder.iterdir())
            (hits,) = gallery.search(embedder.embed(query), k=60)
            others = [h for h in hits if _identity(h.path) != _identity(str(query))]
            found.append(
                {
                    "label": folder.name,
                    "picture": _thumbnail(query),
                    "hits": [
                        {
                            "label": Path(hit.path).parent.name,
                            "score": f"{hit.score:.3f}",
                            "picture": _thumbnail(Path(hit.path)),
                            "same_person": False,
                        }
                        for hit in others[:_HITS]
                    ],
                }
            )
    return found


def _identity(path: str) -> str:
    return Path(path).name.split("_")[0]


def _thumbnail(path: Path) -> str:
    with Image.open(path) as image:
        return data_uri(image.convert("RGB"), "JPEG")
