"""``contrawarp-export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from contrawarp_edge.cli_errors import CleanCommand
from contrawarp_edge.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

_PARITY_IMAGES = 16


@click.command(cls=CleanCommand)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--onnx",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="The file to write.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of images to check the file on; drawn faces by default.",
)
@click.version_option(package_name="lightly-contrawarp")
def main(checkpoint: Path, path: Path, images: Path | None) -> None:
    """Export the encoder of CHECKPOINT to one self-contained ONNX file.

    The file takes uint8 RGB images of any size and returns unit embeddings. It is
    compared with PyTorch before it is put in place.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; --onnx has to be a file")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder to write {path.name} to")
    from lightly_contrawarp.checkpoint import load_backbone
    from lightly_contrawarp.onnx_export import export_onnx

    backbone, facts = load_backbone(checkpoint)
    info, parity = export_onnx(backbone, facts, path, _parity_images(images))
    click.echo(
        f"{path}: {info.backbone}, {info.input_size} px, {info.dim} dimensions, "
        f"{path.stat().st_size / 1e6:.1f} MB, fingerprint {info.short_fingerprint}"
    )
    click.echo(
        f"parity with PyTorch on {parity.images} images: largest difference "
        f"{parity.max_difference:.1e}, lowest cosine {parity.min_cosine:.7f}"
    )


def _parity_images(folder: Path | None) -> list[Image.Image]:
    """Images of several sizes, so that the resizing inside the file is compared too."""
    from torchvision.transforms.v2.functional import to_pil_image

    from contrawarp_edge.images import read_rgb

    if folder is not None:
        from lightly_contrawarp.data.folders import scan_images

        return [read_rgb(path) for path in scan_images(folder).paths[:_PARITY_IMAGES]]
    from lightly_contrawarp.data.drawn_faces import draw_parameters, render_faces

    faces = draw_parameters(_PARITY_IMAGES, num_identities=4, seed=0)
    return [
        to_pil_image(face).resize((size, size + size // 8))
        for size in (48, 112, 160, 224)
        for face in render_faces(faces[:4], size=96)
    ]
