"""The steps of the demo; each leaves a file and is skipped once that file is there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from contrawarp_edge import Embedder, Gallery, InputError
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.ingest.embed import embed_into
from contrawarp_edge.inputs.images import iter_images
from lightly_contrawarp.data.sample_faces import sample_faces
from lightly_contrawarp.data.sets import open_folder
from lightly_contrawarp.data.synthetic import IDENTITY_PATTERN, save_drawn_faces
from lightly_contrawarp.evaluation.compare import compare
from lightly_contrawarp.evaluation.encoders.opening import open_encoders
from lightly_contrawarp.evaluation.progress import EvaluationProgress
from lightly_contrawarp.evaluation.settings import EvaluationSettings
from lightly_contrawarp.export.bundle import ExportRequest, export
from lightly_contrawarp.export.recognition import TeachingError
from lightly_contrawarp.models.checkpoint import training_facts
from lightly_contrawarp.training.pretrain import pretrain
from lightly_contrawarp.training.run_folder import LAST
from lightly_contrawarp.training.settings import PretrainSettings

# The defaults of this package were picked while looking at the faces of seed 2, so the
# demo judges on others.
_TRAIN_SEED, _TEST_SEED = 1, 1001
_VERSION = 2  # of what the steps leave: files of others cannot be gone on with


@dataclass(frozen=True)
class DemoSettings:
    """Size of the demo.

    Attributes:
        faces: Drawn faces to train on, ten of each identity.
        test_faces: Drawn faces of other identities to judge on.
        epochs: Passes over the training faces.
        input_size: Height and width of the views in pixels.
    """

    faces: int = 6000
    test_faces: int = 2100
    epochs: int = 8
    input_size: int = 48


@dataclass(frozen=True)
class DemoFiles:
    """Where the demo keeps what."""

    out: Path

    @property
    def train(self) -> Path:
        """Training faces; their labels serve the probes only."""
        return self.out / "faces" / "train"

    @property
    def test(self) -> Path:
        """Faces of unseen identities."""
        return self.out / "faces" / "test"

    @property
    def run(self) -> Path:
        """The training run."""
        return self.out / "run"

    @property
    def evaluation(self) -> Path:
        """Scores of the trained encoder, of its export, and of an untrained one."""
        return self.out / "scores.json"

    @property
    def model(self) -> Path:
        """The exported encoder, which the labels of the training faces have taught."""
        return self.out / "model.onnx"

    @property
    def gallery(self) -> Path:
        """Embeddings of the test faces."""
        return self.out / "faces.gallery"

    @property
    def times(self) -> Path:
        """Seconds that each step took when it was done."""
        return self.out / "times.json"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.out / "report.html"


def run_steps(
    out: Path, settings: DemoSettings, say: Callable[[str], None]
) -> DemoFiles:
    """Draws, trains, evaluates, exports and embeds; what is done is not done again.

    Args:
        out: Folder for everything.
        settings: Size of the demo.
        say: Called with a line before each step.

    Returns:
        Where the results are.

    Raises:
        InputError: If ``out`` holds a demo of another size.
    """
    files = DemoFiles(out)
    _claim(out, settings)
    steps: list[tuple[str, bool, Callable[[], object]]] = [
        (f"Drawing {settings.faces + settings.test_faces:,} faces",
         files.train.exists() and files.test.exists(),
         lambda: _draw(files, settings)),
        (f"Pre-training for {settings.epochs} epochs, without labels",
         _epochs_done(files.run / LAST) >= settings.epochs,
         lambda: _train(files, settings)),
        ("Exporting to ONNX, with recognition and a search taught by labels",
         files.model.exists(),
         lambda: _export(files)),
        ("Judging both beside an untrained encoder, on unseen identities",
         files.evaluation.exists(),
         lambda: _evaluate(files)),
        ("Embedding the test faces without PyTorch",
         _rows(files.gallery) >= settings.test_faces,
         lambda: _embed(files)),
    ]  # fmt: skip
    for number, (title, done, step) in enumerate(steps, start=1):
        say(f"[{number}/{len(steps)}] {title}{': done already' if done else ''}")
        if done:
            continue
        start = time.monotonic()
        step()
        times = read_json(files.times)
        times[title] = round(time.monotonic() - start, 1)
        atomic_write_text(files.times, json.dumps(times, indent=2) + "\n")
    return files


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file, or an empty one if there is none."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _claim(out: Path, settings: DemoSettings) -> None:
    path = out / "demo.json"
    found, wanted = read_json(path), {**asdict(settings), "version": _VERSION}
    if found and found.get("version") != _VERSION:
        raise InputError(
            f"{out}: holds a demo of another version; delete it, or give another --out"
        )
    if found and found != wanted:
        raise InputError(f"{out}: holds a demo with {found}; give another --out")
    if not found and out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: is not empty and holds no demo; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, json.dumps(wanted, indent=2) + "\n")


def _draw(files: DemoFiles, settings: DemoSettings) -> None:
    for folder, count, seed in (
        (files.train, settings.faces, _TRAIN_SEED),
        (files.test, settings.test_faces, _TEST_SEED),
    ):
        folder.parent.mkdir(exist_ok=True)
        save_drawn_faces(
            folder, count, num_identities=max(1, count // 10), seed=seed, size=64,
            labelled=True,
        )  # fmt: skip


def _train(files: DemoFiles, settings: DemoSettings) -> None:
    pretrain(
        files.train,
        files.run,
        PretrainSettings(
            backbone="small",
            input_size=settings.input_size,
            batch_size=32,
        ),
        epochs=settings.epochs,
        resume=(files.run / LAST).exists(),
    )


def _epochs_done(checkpoint: Path) -> int:
    return training_facts(checkpoint)["epochs"] if checkpoint.exists() else 0


def _evaluate(files: DemoFiles) -> None:
    train = open_folder(files.train, IDENTITY_PATTERN)
    comparison = compare(
        open_encoders(
            [files.run / LAST, files.model], random_init=True, training=train
        ),
        train,
        open_folder(files.test, IDENTITY_PATTERN),
        EvaluationSettings(),
        progress=EvaluationProgress(),
    )
    scores = comparison.results.to_dict()["encoders"]
    atomic_write_text(files.evaluation, json.dumps(scores, indent=2) + "\n")


def _export(files: DemoFiles) -> None:
    labels = open_folder(files.train, IDENTITY_PATTERN)
    request = ExportRequest(files.model, labels=labels, teach=True, card=False)

    def images() -> list[Image.Image]:
        return [face.image for face in sample_faces(files.test, 16)]

    try:
        export(files.run / LAST, request, images)
    except TeachingError:  # of a demo too small to learn from
        export(files.run / LAST, replace(request, teach=False), images)


def _rows(gallery: Path) -> int:
    if not gallery.exists():
        return 0
    with Gallery.open(gallery, readonly=True) as opened:
        return len(opened)


def _embed(files: DemoFiles) -> None:
    embed_into(files.gallery, Embedder(files.model), iter_images(files.test))
