"""ContraWarping for Lightly: facial-expression embeddings from unlabelled faces."""

from importlib.metadata import version

from lightly_contrawarp.loss.contrawarp_loss import (
    Contrast,
    ContraWarpLoss,
    NegativeForm,
)
from lightly_contrawarp.models.contrawarp import ContraWarp, load_backbone
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
from lightly_contrawarp.transforms.local_warp import LocalWarp
from lightly_contrawarp.transforms.view_transform import ContraWarpViewTransform

__version__ = version("lightly-contrawarp")

__all__ = [
    "ContraWarp",
    "ContraWarpLoss",
    "ContraWarpTransform",
    "ContraWarpViewTransform",
    "Contrast",
    "LocalWarp",
    "NegativeForm",
    "load_backbone",
]
