"""Features that keep where things are: the last feature map, on a coarse grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional as F

from contrawarp_edge.core.errors import NotApplicableError

GRID = 3
"""Most cells of the grid along each side."""


class SpatialFeatures(nn.Module):
    """An encoder's last feature map, averaged over the cells of a grid.

    Encoders end by averaging that map over the whole image, which hides where a brow
    or the corner of a mouth is. The map is found by running the encoder once: it is
    the last output of a layer that has more than one cell. A map smaller than the grid
    is taken as it is.

    Args:
        backbone: The encoder, ``[n, 3, s, s] -> [n, d]``.
        input_size: Side of the images, ``s``, in pixels.
        grid: Most cells along each side.

    Attributes:
        cells: Height and width of the grid.
        dim: Number of features: channels times cells.

    Raises:
        InputError: If the encoder has no such map, as transformers that work on
            tokens.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, backbone: nn.Module, input_size: int, grid: int = GRID) -> None:
        super().__init__()
        self.backbone = backbone
        self.layer, (channels, height, width) = _last_map(backbone, input_size)
        self.cells = min(grid, height), min(grid, width)
        self.dim = channels * self.cells[0] * self.cells[1]
        device = _device_of(backbone)
        for name, size, cells in (
            ("rows", height, self.cells[0]),
            ("columns", width, self.cells[1]),
        ):
            averages = averaging_matrix(size, cells).to(device)
            self.register_buffer(name, averages, persistent=False)

    def forward(
        self, images: Float[Tensor, "n 3 s s"]
    ) -> Float32[Tensor, "n c cells_h cells_w"]:
        """Encodes normalised images to a map of ``cells``."""
        return self.with_pooled(images)[0]

    def with_pooled(
        self, images: Float[Tensor, "n 3 s s"]
    ) -> tuple[Float32[Tensor, "n c cells_h cells_w"], Float32[Tensor, "n d"]]:
        """As `forward`, and what the encoder itself gives, in one run of it."""
        maps: list[Tensor] = []
        layer = self.backbone.get_submodule(self.layer)
        images = images.to(_dtype_of(self.backbone))
        pooled = _run_hooked([(layer, maps.append)], lambda: self.backbone(images))
        cells = self.rows @ maps[-1].float() @ self.columns.T
        return cells, pooled.flatten(1).float()


def averaging_matrix(size: int, cells: int) -> Float32[Tensor, "cells size"]:
    """What averages a line of ``size`` values over ``cells``, which may overlap.

    As ``adaptive_avg_pool1d``, but every device and exporter can multiply by it, also
    where ``cells`` does not divide ``size``.
    """
    return F.adaptive_avg_pool1d(torch.eye(size)[None], cells)[0].T.contiguous()


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Puts a module in evaluation mode, and afterwards back as it was."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _device_of(module: nn.Module) -> torch.device:
    return next((p.device for p in module.parameters()), torch.device("cpu"))


def _dtype_of(module: nn.Module) -> torch.dtype:
    return next((p.dtype for p in module.parameters()), torch.float32)


def _run_hooked(
    hooks: list[tuple[nn.Module, Callable[[Any], None]]], run: Callable[[], Tensor]
) -> Tensor:
    """Runs something while what layers return is handed to a function each."""
    handles = [
        layer.register_forward_hook(lambda _, __, output, see=see: see(output))
        for layer, see in hooks
    ]
    try:
        return run()
    finally:
        for handle in handles:
            handle.remove()


def _last_map(backbone: nn.Module, input_size: int) -> tuple[str, tuple[int, int, int]]:
    """Name of the layer that gives the last map; its channels, height and width."""
    seen: list[tuple[str, torch.Size]] = []

    def note(name: str) -> Callable[[Any], None]:
        return lambda output: (
            seen.append((name, output.shape)) if isinstance(output, Tensor) else None
        )

    image = torch.zeros(1, 3, input_size, input_size)
    image = image.to(_device_of(backbone), _dtype_of(backbone))
    with torch.inference_mode(), evaluating(backbone):
        _run_hooked(
            [(layer, note(name)) for name, layer in backbone.named_modules()],
            lambda: backbone(image),
        )
    width = seen[-1][1].numel() if seen else 0
    for name, shape in reversed(seen):
        if len(shape) < 2 or shape.numel() == shape[1]:
            continue  # a vector, or a map of one cell
        # Where channels come last, the width of the output tells.
        if len(shape) == 4 and (shape[1] == width or shape[3] != width):
            return name, (shape[1], shape[2], shape[3])
        break
    raise NotApplicableError(
        f"{type(backbone).__name__} has no last feature map larger than one cell at "
        f"{input_size} pixels; use pooled features"
    )
