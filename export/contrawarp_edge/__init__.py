"""Embed faces by expression and search them, without PyTorch."""

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.gallery.conditions import Condition
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.records import Hit, Record
from contrawarp_edge.model.embedder import Embedder
from contrawarp_edge.model.info import ModelInfo

__all__ = [
    "Condition",
    "Embedder",
    "Gallery",
    "Hit",
    "InputError",
    "ModelInfo",
    "Record",
]
