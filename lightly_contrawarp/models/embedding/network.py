"""The network that is exported: encoder, feature map and head, or the encoder alone."""

from __future__ import annotations

from jaxtyping import Float, Float32
from torch import Tensor, nn

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.models.embedding.head import EmbeddingHead
from lightly_contrawarp.models.embedding.spatial import SpatialFeatures


class EmbeddingNetwork(nn.Module):
    """An encoder's last feature map on a grid, reduced by a head.

    Args:
        backbone: The encoder.
        input_size: Side of the images in pixels.
        head: The head that was fitted to that encoder's features.

    Raises:
        InputError: If the encoder has no feature map, or another number of features
            than the head takes.
    """

    features: SpatialFeatures
    head: EmbeddingHead

    def __init__(
        self, backbone: nn.Module, input_size: int, head: EmbeddingHead
    ) -> None:
        super().__init__()
        self.features = SpatialFeatures(backbone, input_size)
        if self.features.dim != len(head.mean):
            raise InputError(
                f"its embedding head takes {len(head.mean)} features, and the encoder "
                f"gives {self.features.dim}"
            )
        self.head = head

    @property
    def backbone(self) -> nn.Module:
        """The encoder."""
        return self.features.backbone

    def forward(self, images: Float[Tensor, "n 3 s s"]) -> Float32[Tensor, "n d"]:
        """Embeds normalised images; lengths are as they come."""
        embedded: Tensor = self.head(self.features(images).flatten(1))
        return embedded

    def with_pooled(
        self, images: Float[Tensor, "n 3 s s"]
    ) -> tuple[Float32[Tensor, "n d"], Float32[Tensor, "n p"]]:
        """As `forward`, and the encoder's pooled output, in one run of it."""
        cells, pooled = self.features.with_pooled(images)
        return self.head(cells.flatten(1)), pooled


def embedding_network(
    backbone: nn.Module, input_size: int, head: EmbeddingHead | None
) -> nn.Module:
    """The network that gives what is exported, up to its length.

    Args:
        backbone: The encoder, ``[n, 3, s, s] -> [n, d]``.
        input_size: Side of the images in pixels.
        head: What makes the embedding of its feature map.

    Returns:
        An `EmbeddingNetwork`; without a head the encoder, whose output is pooled.

    Raises:
        InputError: If the head does not fit the encoder.
    """
    if head is None:
        return backbone
    return EmbeddingNetwork(backbone, input_size, head)


def describe(network: nn.Module, dim: int) -> str:
    """What an embedding is, in words.

    Args:
        network: What `embedding_network` returned.
        dim: Number of its dimensions.
    """
    if not isinstance(network, EmbeddingNetwork):
        return f"the encoder's pooled output, {dim} features"
    head, (height, width) = network.head, network.features.cells
    actions = ""
    if count := len(head.r2):
        actions = (
            f"{count} axes of facial actions (R2 {float(head.r2.mean()):.2f}) and "
        )
    return (
        f"{actions}{head.dim - count} principal components of {len(head.mean)} "
        f"features, the last feature map on {height} x {width} cells; they keep "
        f"{100 * float(head.explained.sum()):.1f} % of the variance, whitening "
        f"{float(head.whiten):g}"
    )
