"""The module of a run: built, tried out and compiled."""

from __future__ import annotations

import os
import shutil

import torch
from pytorch_lightning import seed_everything

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.models.contrawarp import ContraWarp
from lightly_contrawarp.training.resources import explained_resources
from lightly_contrawarp.training.settings import PretrainSettings
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform

MEMORY_ADVICE = (
    "lower --batch-size, --input-size or --num-negatives, or take a smaller backbone"
)
"""What a user of the command can do about memory."""


def build_model(
    settings: PretrainSettings,
    batch_transform: ContraWarpBatchTransform | None,
    compiled: bool = False,
) -> ContraWarp:
    """Seeds everything and builds the module.

    Args:
        settings: What decides the outcome of a run.
        batch_transform: Makes views on the device, if the workers do not.
        compiled: Whether to compile the encoders. Checkpoints stay as they are.

    Raises:
        InputError: If the encoder does not take images of the size, or there is no
            compiler.
    """
    seed_everything(settings.seed, workers=True, verbose=False)
    model = ContraWarp(batch_transform=batch_transform, settings=settings)
    _try_out(model, settings)
    if compiled:
        _compile(model)
    return model


def _try_out(model: ContraWarp, settings: PretrainSettings) -> None:
    """Some networks take one size of images, or none below another."""
    size = settings.input_size
    try:
        with torch.no_grad(), explained_resources(MEMORY_ADVICE):
            model.backbone.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).splitlines()[0]
        raise InputError(
            f"backbone {settings.backbone} takes no images of {size} pixels "
            f"({reason}); give another --input-size"
        ) from error
    finally:
        model.backbone.train()


def _compile(model: ContraWarp) -> None:
    if not torch.cuda.is_available() and not shutil.which(os.environ.get("CXX", "g++")):
        raise InputError("--compile needs a C++ compiler on a CPU; install g++")
    model.backbone.compile()
    if model.target is not None:
        model.target.backbone.compile()
