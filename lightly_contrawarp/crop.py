"""The crop contract, which lives where it can be used without PyTorch."""

from contrawarp_edge.crop import FACE_CROP, CropContract, Point

__all__ = ["FACE_CROP", "CropContract", "Point"]
