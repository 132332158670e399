"""Embed faces by expression and search them, without PyTorch."""

from contrawarp_edge.embedder import Embedder
from contrawarp_edge.errors import InputError
from contrawarp_edge.filters import Condition
from contrawarp_edge.gallery import Gallery
from contrawarp_edge.model_file import ModelInfo
from contrawarp_edge.records import Hit, Record

__all__ = [
    "Condition",
    "Embedder",
    "Gallery",
    "Hit",
    "InputError",
    "ModelInfo",
    "Record",
]
