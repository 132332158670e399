"""Features that keep where things are: the last feature map, on a coarse grid."""

from __future__ import annotations

from collections.abc import Callable
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

    Raises:
        InputError: If the encoder has no such map, as transformers that work on
            tokens.
    """

    def __init__(self, backbone: nn.Module, input_size: int, grid: int = GRID) -> None:
        super().__init__()
        self.backbone = backbone
        self.layer, (height, width) = _last_map(backbone, input_size)
        self.cells = min(grid, height), min(grid, width)

    def forward(
        self, images: Float[Tensor, "n 3 s s"]
    ) -> Float32[Tensor, "n c cells_h cells_w"]:
        """Encodes normalised images.

        Returns:
            A map of ``cells``, on the CPU, since not every device can pool to a size
            that does not divide the map's.
        """
        maps: list[Tensor] = []
        layer = self.backbone.get_submodule(self.layer)
        _run_hooked([(layer, maps.append)], lambda: self.backbone(images))
        return F.adaptive_avg_pool2d(maps[-1].float().cpu(), self.cells)


def _run_hooked(
    hooks: list[tuple[nn.Module, Callable[[Any], None]]], run: Callable[[], object]
) -> None:
    """Runs something while what layers return is handed to a function each."""
    handles = [
        layer.register_forward_hook(lambda _, __, output, see=see: see(output))
        for layer, see in hooks
    ]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()


def _last_map(backbone: nn.Module, input_size: int) -> tuple[str, tuple[int, int]]:
    """Name of the layer that gives the last map, and the map's height and width."""
    seen: list[tuple[str, torch.Size]] = []

    def note(name: str) -> Callable[[Any], None]:
        return lambda output: (
            seen.append((name, output.shape)) if isinstance(output, Tensor) else None
        )

    device = next((p.device for p in backbone.parameters()), torch.device("cpu"))
    with torch.inference_mode():
        _run_hooked(
            [(layer, note(name)) for name, layer in backbone.named_modules()],
            lambda: backbone(torch.zeros(1, 3, input_size, input_size, device=device)),
        )
    for name, shape in reversed(seen):
        if shape.numel() != shape[1]:  # no vector, nor a map of one cell
            if len(shape) == 4:
                return name, (shape[2], shape[3])
            break
    raise NotApplicableError(
        f"spatial features: {type(backbone).__name__} has no last feature map larger "
        f"than one cell at {input_size} pixels; use pooled features"
    )
