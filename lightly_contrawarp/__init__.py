"""ContraWarping for Lightly: facial-expression embeddings from unlabelled faces."""

from importlib.metadata import version

from lightly_contrawarp.local_warp import LocalWarp
from lightly_contrawarp.loss import Contrast, ContraWarpLoss, NegativeForm
from lightly_contrawarp.module import ContraWarp, load_backbone
from lightly_contrawarp.transform import ContraWarpTransform
from lightly_contrawarp.views import ContraWarpViewTransform

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
