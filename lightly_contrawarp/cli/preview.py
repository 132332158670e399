"""``contrawarp preview``."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write
from lightly_contrawarp.cli.option_types import INPUT_SIZE, NUM_NEGATIVES, SEED
from lightly_contrawarp.training.settings import PretrainSettings

_DEFAULT = PretrainSettings()


@click.command("preview")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The PNG to write.",
)
@click.option("--rows", default=6, type=click.IntRange(1, 50), help="Number of faces.")
@click.option("--input-size", default=112, type=INPUT_SIZE, help="In pixels.")
@click.option("--num-negatives", default=_DEFAULT.num_negatives, type=NUM_NEGATIVES)
@click.option("--paired/--unpaired", default=_DEFAULT.paired)
@click.option("--seed", default=0, type=SEED)
def preview_command(
    folder: Path | None,
    out: Path,
    rows: int,
    input_size: int,
    num_negatives: int,
    paired: bool,
    seed: int,
) -> None:
    """Draw what an encoder will see: views and warps of faces in FOLDER.

    Arrows show where each warp moves the face, those in another colour its landmarks,
    if FOLDER/faces.csv has them. Without FOLDER, faces are drawn.
    """
    if out.is_dir():
        raise InputError(f"{out}: is a folder; --out has to be a file")
    import torch

    from lightly_contrawarp.data.sample_faces import sample_faces
    from lightly_contrawarp.evaluation.report.pictures import encoded
    from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
    from lightly_contrawarp.transforms.preview import preview_sheet

    torch.manual_seed(seed)
    transform = ContraWarpTransform(input_size, num_negatives, paired)
    sheet = preview_sheet(sample_faces(folder, rows, seed), transform)
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, encoded(sheet, "PNG"))
    click.echo(f"{out}: {sheet.width} x {sheet.height} pixels")
