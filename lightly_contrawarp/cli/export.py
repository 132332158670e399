"""``contrawarp-export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from contrawarp_edge.core.command import EXIT_SKIPPED, CleanCommand
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import printable

if TYPE_CHECKING:
    from PIL import Image

    from lightly_contrawarp.export.bundle import Exported
    from lightly_contrawarp.export.exported_file import ExportedFile

_PATH = click.Path(path_type=Path)
_PARITY_IMAGES = 16


@click.command(cls=CleanCommand)
@click.argument("checkpoint", type=_PATH)
@click.option("--onnx", "onnx_path", type=_PATH, help="The .onnx file to write.")
@click.option(
    "--features",
    default="exported",
    type=click.Choice(["exported", "pooled"]),
    help="Pooled exports the encoder's own output, though there is a head.",
)
@click.option(
    "--fit-head",
    type=_PATH,
    metavar="FOLDER",
    help="Fit an embedding head to these images, for a checkpoint without one.",
)
@click.option("--dim", type=click.IntRange(1), help="Keep so many dimensions only.")
@click.option(
    "--labels",
    metavar="SPEC",
    help="Folder of CLASS/*.jpg, or NAME=PATH of a set, to fit probabilities to.",
)
@click.option(
    "--teach",
    is_flag=True,
    help="Export the embedding that --labels are apart in, if it searches better.",
)
@click.option(
    "--int8",
    is_flag=True,
    help="Write an 8-bit model too: model.int8.onnx beside model.onnx.",
)
@click.option(
    "--calibrate",
    type=_PATH,
    metavar="FOLDER",
    help="200 images or more, such as will be embedded; for --int8.",
)
@click.option(
    "--data",
    metavar="SPEC",
    help="Labelled set, as for contrawarp evaluate, to judge --int8 by accuracy too.",
)
@click.option(
    "--part",
    type=click.Choice(["validation", "test"]),
    help="What of --data to be scored on, if it has both.",
)
@click.option("--report", type=_PATH, help="JSON file for all that --int8 measures.")
@click.option("--force", is_flag=True, help="Write an int8 model that finds others.")
@click.option(
    "--safetensors",
    type=_PATH,
    help="File for the backbone's weights under torchvision's names.",
)
@click.option(
    "--evaluation",
    type=_PATH,
    help="What contrawarp evaluate --json wrote of this model, for the model card.",
)
@click.option("--no-card", is_flag=True, help="Write no model card.")
@click.option(
    "--images",
    type=_PATH,
    help="Folder of images to check the file on; drawn faces by default.",
)
@click.version_option(package_name="lightly-contrawarp")
@click.pass_context
def main(
    ctx: click.Context,
    checkpoint: Path,
    onnx_path: Path | None,
    features: str,
    fit_head: Path | None,
    dim: int | None,
    labels: str | None,
    teach: bool,
    int8: bool,
    calibrate: Path | None,
    data: str | None,
    part: str | None,
    report: Path | None,
    force: bool,
    safetensors: Path | None,
    evaluation: Path | None,
    no_card: bool,
    images: Path | None,
) -> None:
    """Export the encoder of CHECKPOINT to one self-contained ONNX file.

    The file takes uint8 RGB images of any size and returns unit embeddings. It is
    compared with PyTorch before it is put in place. A model card in Markdown goes
    beside it, under the same name. The embedding is made by the head that was fitted
    at the end of training, or else is the encoder's pooled output.

    With --labels the file returns probabilities of their classes too. So it does for a
    checkpoint of contrawarp finetune.

    With --int8 an 8-bit model goes beside it too. It is smaller and faster, and finds
    somewhat other neighbours; how much, is measured and shown. If it finds too many
    others, only its weights get 8 bits, which makes it smaller but no faster. If that
    finds too many others too, nothing is written.

    Exit code 3 means that all is written but some images could not be read.
    """
    _check_options(onnx_path, int8, calibrate, safetensors, no_card, evaluation)
    if not int8 and (calibrate or data or part or report or force):
        raise InputError(
            "--calibrate, --data, --part, --report and --force belong to --int8"
        )
    if labels is not None and onnx_path is None:
        raise InputError("--labels needs --onnx")
    if teach and labels is None:
        raise InputError("--teach needs --labels SPEC, the images that teach it")
    if part and not data:
        raise InputError("--part goes with --data")
    _check_target("--onnx", onnx_path)
    _check_target("--safetensors", safetensors)
    _check_target("--report", report)
    from lightly_contrawarp.cli.datasets import open_labels, open_sets
    from lightly_contrawarp.export.bundle import ExportRequest, export
    from lightly_contrawarp.export.embedding import Choice
    from lightly_contrawarp.export.int8.calibration import draw_sample

    request = ExportRequest(
        onnx=onnx_path,
        choice=Choice(pooled=features == "pooled", fit_head=fit_head, dim=dim),
        labels=None if labels is None else open_labels(labels),
        teach=teach,
        int8_images=draw_sample(calibrate) if calibrate else None,
        labelled=open_sets(data, part) if data else None,
        report=report,
        force=force,
        safetensors=safetensors,
        evaluation=evaluation,
        card=not no_card,
    )
    exported = export(checkpoint, request, lambda: _parity_images(images))
    _tell(exported)
    if not exported.has_head and features == "exported":
        click.echo(
            f"{checkpoint}: has no embedding head, so that its pooled output is "
            "exported; --fit-head FOLDER fits one",
            err=True,
        )
    if exported.unreadable:
        click.echo(
            f"{len(exported.unreadable):,} images could not be read, the first: "
            f"{printable(exported.unreadable[0])}",
            err=True,
        )
        ctx.exit(EXIT_SKIPPED)


def _check_options(
    onnx_path: Path | None,
    int8: bool,
    calibrate: Path | None,
    safetensors: Path | None,
    no_card: bool,
    evaluation: Path | None,
) -> None:
    if onnx_path is None and safetensors is None:
        raise InputError("give --onnx or --safetensors, the file to write")
    if int8 and (onnx_path is None or calibrate is None):
        raise InputError("--int8 needs --onnx and --calibrate FOLDER")
    if no_card and evaluation:
        raise InputError("--evaluation goes into the model card; leave out --no-card")


def _check_target(option: str, path: Path | None) -> None:
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path}: is a folder; {option} has to be a file")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder to write {path.name} to")


def _tell(done: Exported) -> None:
    info = done.encoder
    if file := done.weights:
        click.echo(f"{file.path}: {info.name}, weights, {_size(file)}")
    if file := done.onnx:
        click.echo(
            f"{file.path}: {info.name}, {info.input_size} px, {info.dim} dimensions, "
            f"{_size(file)}, fingerprint {file.fingerprint[:12]}"
        )
    click.echo(f"embedding: {done.embedding}")
    if found := done.recognition:
        facts = found.labels.classifier.facts
        click.echo(
            f"scores: {printable(', '.join(facts.images_by_class))}; "
            f"{100 * facts.accuracy:.1f} % of {facts.held_out:,} held-out images "
            f"right, calibration error {facts.calibration_error:.3f}"
        )
        if one := found.teaching:
            click.echo(
                f"taught: {one.way}; P@10 of {one.held_out:,} held-out images "
                f"{100 * one.before:.1f} before, {100 * one.after:.1f} after"
            )
    if parity := done.parity:
        scores = f", of scores {parity.max_score_difference:.1e}"
        click.echo(
            f"parity with PyTorch on {parity.images} images: largest difference "
            f"{parity.max_difference:.1e}{scores if done.recognition else ''}, lowest "
            f"cosine {parity.min_cosine:.7f}"
        )
    if done.int8:
        file = done.int8.int8
        click.echo(
            f"{file.path}: int8, {_size(file)}, fingerprint {file.fingerprint[:12]}"
        )
    if done.card:
        click.echo(f"{done.card}: model card")
    if done.int8:
        click.echo(f"\n{done.int8.to_text()}")


def _size(file: ExportedFile) -> str:
    return f"{file.size / 1e6:.1f} MB"


def _parity_images(folder: Path | None) -> list[Image.Image]:
    """Images of several sizes, so that the resizing inside the file is compared too."""
    from torchvision.transforms.v2.functional import to_pil_image

    from contrawarp_edge.inputs.images import read_rgb

    if folder is not None:
        from lightly_contrawarp.data.folders import scan_images

        return [read_rgb(path) for path in scan_images(folder).paths[:_PARITY_IMAGES]]
    from lightly_contrawarp.data.synthetic import draw_parameters, render_faces

    faces = draw_parameters(_PARITY_IMAGES, num_identities=4, seed=0)
    return [
        to_pil_image(face).resize((size, size + size // 8))
        for size in (48, 112, 160, 224)
        for face in render_faces(faces[:4], size=96)
    ]
