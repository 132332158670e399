"""``contrawarp preview``."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write
from lightly_contrawarp.cli.option_types import setting_option


@click.command("preview", context_settings={"show_default": True})
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The PNG to write.",
)
@click.option("--rows", default=6, type=click.IntRange(1, 50), help="Number of faces.")
@setting_option("input_size")
@setting_option("num_negatives", help="Warps of a face.")
@setting_option("pairing")
@setting_option("warp")
@setting_option("seed", help="Of faces and views.")
def preview_command(
    folder: Path | None,
    out: Path,
    rows: int,
    input_size: int,
    num_negatives: int,
    pairing: str,
    warp: str,
    seed: int,
) -> None:
    """Draw what an encoder will see: views and warps of faces in FOLDER.

    Arrows show where each warp moves the face, those in another colour its landmarks,
    if FOLDER/faces.csv has them. Below a warp are its actions, with their strength as
    a part of the distance between the eyes. Without FOLDER, faces are drawn.
    """
    if out.is_dir():
        raise InputError(f"{out}: is a folder; --out has to be a file")
    import torch

    from lightly_contrawarp.data.sample_faces import sample_faces
    from lightly_contrawarp.evaluation.report.pictures import encoded
    from lightly_contrawarp.transforms.action_warp import ActionWarp
    from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
    from lightly_contrawarp.transforms.local_warp import LocalWarp
    from lightly_contrawarp.transforms.preview import preview_sheet

    torch.manual_seed(seed)
    drawer = ActionWarp() if warp == "actions" else LocalWarp()
    transform = ContraWarpTransform(input_size, num_negatives, pairing, warp=drawer)
    sheet = preview_sheet(sample_faces(folder, rows, seed), transform)
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, encoded(sheet, "PNG"))
    click.echo(f"{out}: {sheet.width} x {sheet.height} pixels")
