"""Which embedding of a checkpoint is exported: that of its head, or pooled features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.folders import SkippedFile, scan_images
from lightly_contrawarp.models.checkpoint import (
    BackboneInfo,
    load_backbone,
    load_embedding,
    training_facts,
)
from lightly_contrawarp.models.embedding.network import (
    EmbeddingNetwork,
    embedding_network,
)
from lightly_contrawarp.models.settings import ModelSettings
from lightly_contrawarp.training.head import fit_to_files
from lightly_contrawarp.training.resources import explained_resources


@dataclass(frozen=True)
class Choice:
    """An embedding; as it is, that of the checkpoint's head, if it has one.

    Attributes:
        pooled: Whether to take the encoder's pooled output in any case.
        fit_head: Folder of images to fit a head to.
        dim: Number of components to keep; None for all.

    Raises:
        InputError: If pooled features are to have a head.
    """

    pooled: bool = False
    fit_head: Path | None = None
    dim: int | None = None

    def __post_init__(self) -> None:
        if self.pooled and (self.fit_head or self.dim):
            raise InputError(
                "pooled features have no head to fit and no dimensions to choose; "
                "leave out --fit-head and --dim, or --features pooled"
            )


def _dim_of(checkpoint: Path) -> int:
    """The dimensions that its run was to keep."""
    default = ModelSettings.embedding_dim
    return int(training_facts(checkpoint).get("embedding_dim", default))


def choose_network(
    checkpoint: Path, choice: Choice
) -> tuple[nn.Module, BackboneInfo, list[str]]:
    """Loads a checkpoint for export.

    Args:
        checkpoint: The ``.ckpt`` file.
        choice: Which embedding.

    Returns:
        The network, in evaluation mode, what is known about it, with the dimensions
        of the embedding, and a line for each image that could not be read.

    Raises:
        InputError: If the checkpoint cannot be loaded, no head can be fitted, or it
            has fewer dimensions than are wanted.
    """
    unreadable: list[SkippedFile] = []
    if choice.pooled:
        return *load_backbone(checkpoint), []
    if choice.fit_head is None:
        network, info = load_embedding(checkpoint)
    else:
        backbone, info = load_backbone(checkpoint)
        scan = scan_images(choice.fit_head)
        unreadable += scan.skipped
        with explained_resources("give fewer images to --fit-head"):
            head = fit_to_files(
                backbone,
                info.input_size,
                scan.paths,
                choice.dim or _dim_of(checkpoint),
                on_failure=unreadable.append,
            )
        network = embedding_network(backbone, info.input_size, head).eval()
    lines = [str(file) for file in unreadable]
    if not isinstance(network, EmbeddingNetwork):
        if choice.dim:
            raise InputError(
                f"{checkpoint}: has no embedding head of which to keep {choice.dim} "
                "dimensions; fit one with --fit-head FOLDER, or leave out --dim"
            )
        return network, info, lines
    if choice.dim and choice.dim != network.head.dim:
        try:
            network.head = network.head.first(choice.dim)
        except InputError as error:
            raise InputError(f"{checkpoint}: {error}") from error
    return network, replace(info, dim=network.head.dim), lines
