"""From images to what was measured, an encoder after the other."""

from __future__ import annotations

import json
from pathlib import Path

import click

from benchmarks.int8.measuring import measure
from benchmarks.int8.scale import Scale
from benchmarks.int8.training import draw_faces, draw_images, train
from contrawarp_edge.core.files import atomic_write_text
from lightly_contrawarp.training.run_folder import LAST

RESULT = "measured.json"


def do_runs(scale: Scale, data: Path | None, out: Path) -> None:
    """Trains what is not trained yet, and measures everything anew.

    Args:
        scale: Which encoders, and how large everything is.
        data: Holds ``train/CLASS/*`` and ``validation/CLASS/*``; drawn faces if None.
        out: A folder for each encoder goes there.

    Raises:
        InputError: If images are missing or too few, or ``out`` holds encoders that
            were trained in another way.
    """
    if data is None:
        data = draw_faces(out / "drawn")
    images = draw_images(data / "train", scale.images, out / "images")
    for encoder in scale.encoders:
        folder = out / encoder.backbone
        click.echo(f"{encoder.backbone}: training", err=True)
        training = train(encoder, scale, images, folder)
        click.echo(f"{encoder.backbone}: export and measurements", err=True)
        measured = measure(folder / LAST, data, scale, folder)
        result = {"encoder": encoder._asdict(), "training": training, **measured}
        atomic_write_text(folder / RESULT, json.dumps(result, indent=2) + "\n")
