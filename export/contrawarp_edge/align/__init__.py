"""Faces found in photographs and cut out as the crop contract says."""
