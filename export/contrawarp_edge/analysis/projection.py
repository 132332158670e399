"""Images as points in a plane."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contrawarp_edge.core.errors import NotApplicableError
from contrawarp_edge.core.optional import required
from contrawarp_edge.search.vectors import Vectors

Points = npt.NDArray[np.float64]


def pca(vectors: Vectors) -> tuple[Points, float]:
    """The two directions in which vectors differ most.

    Args:
        vectors: ``(N, D)``.

    Returns:
        ``(N, 2)``, and the share of the whole variance that they show. The sign of an
        axis is such that its largest weight is positive.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    points = np.zeros((len(vectors), 2))
    points[:, : axes.shape[1]] = centred @ axes
    total = values.sum()
    return points, float(values[::-1][:2].sum() / total) if total > 0 else 1.0


def tsne(vectors: Vectors) -> Points:
    """Keeps neighbours together (t-SNE by scikit-learn, an optional extra).

    Args:
        vectors: ``(N, D)``.

    Returns:
        ``(N, 2)``, the same each time.

    Raises:
        InputError: If scikit-learn is missing, or there are fewer than 4 vectors.
    """
    manifold = required("sklearn.manifold", "tsne", "t-SNE needs scikit-learn")
    if len(vectors) < 4:
        raise NotApplicableError(f"t-SNE needs at least 4 images, not {len(vectors)}")
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    model = manifold.TSNE(
        perplexity=perplexity, init="pca", random_state=0, metric="cosine"
    )
    return np.asarray(model.fit_transform(vectors), np.float64)
