"""The least-squares similarity transform between two sets of points."""

from __future__ import annotations

import numpy as np

from contrawarp_edge.crop import Points


def fit_similarity(source: Points, target: Points) -> Points:
    """Finds the turn, scale and shift that bring points closest to others.

    Umeyama's solution without reflections (1991), which in the plane is linear
    regression of complex numbers: ``target = a source + b`` with
    ``a = scale * exp(i angle)``.

    Args:
        source: float ``(N, 2)``, at least two different points.
        target: float ``(N, 2)``.

    Returns:
        float64 ``(2, 3)``: ``target ~ matrix[:, :2] @ source + matrix[:, 2]``.
    """
    z, w = (np.asarray(points, np.float64) @ [1, 1j] for points in (source, target))
    centred = z - z.mean()
    a = np.vdot(centred, w) / np.vdot(centred, centred)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def transform(matrix: Points, points: Points) -> Points:
    """Applies a ``(2, 3)`` matrix to points ``(N, 2)``."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def inverse(matrix: Points) -> Points:
    """The ``(2, 3)`` matrix that undoes one."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def scale_of(matrix: Points) -> float:
    """How much a similarity enlarges lengths."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def angle_of(matrix: Points) -> float:
    """By how much a similarity turns, in radians, clockwise in an image."""
    return float(np.arctan2(matrix[1, 0], matrix[0, 0]))
