"""The linear head against scikit-learn and NumPy."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.models.embedding import head as module
from lightly_contrawarp.models.embedding.head import EmbeddingHead, fit_head

Floats = NDArray[np.float32]


@pytest.fixture
def features() -> Floats:
    """Correlated, and far from zero beside their spread."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 20)) * 0.8 ** np.arange(20)
    return (values @ rng.normal(size=(20, 40)) + 30).astype(np.float32)


def project(head: EmbeddingHead, features: Floats) -> Floats:
    with torch.inference_mode():
        projected: Floats = head(torch.from_numpy(features)).numpy()
    return projected


@pytest.mark.parametrize("solver", ["exact", "randomized"])
@pytest.mark.parametrize("whiten", [0.0, 0.5, 1.0])
def test_projects_as_pca(
    features: Floats, whiten: float, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if solver == "randomized":
        monkeypatch.setattr(module, "_MOST_EXACT", 10)
    head = fit_head(features, 8, whiten)
    pca = PCA(8, svd_solver="full").fit(features.astype(np.float64))
    expected = pca.transform(features) * pca.explained_variance_ ** (-whiten / 2)
    projected = project(head, features)
    np.testing.assert_allclose(np.abs(projected), np.abs(expected), atol=2e-2)
    by_hand = (features - head.mean.numpy()) @ head.components.numpy().T
    np.testing.assert_allclose(projected, by_hand, atol=1e-3)
    np.testing.assert_allclose(
        head.explained, pca.explained_variance_ratio_, rtol=1e-3, atol=1e-6
    )
    variances = pca.explained_variance_ ** (1 - whiten)
    np.testing.assert_allclose(projected.var(0, ddof=1), variances, rtol=1e-2)
    again = fit_head(features, 8, whiten)
    for one, other in zip(
        head.state_dict().values(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_first_components_are_those_of_a_smaller_head(features: Floats) -> None:
    first, smaller = fit_head(features, 12).first(5), fit_head(features, 5)
    assert first.dim == 5
    for name, value in first.state_dict().items():
        torch.testing.assert_close(value, smaller.state_dict()[name])
    assert first.components.untyped_storage().nbytes() == 5 * 40 * 4
    with pytest.raises(InputError, match="6 dimensions are more than the 5"):
        first.first(6)


def test_keeps_what_the_data_allow(features: Floats) -> None:
    assert fit_head(features, 99).dim == 20  # as many as vary
    assert fit_head(features[:4], 99).dim == 3
    assert fit_head(features[:, :2], 99).dim == 2
    for same in (np.full((5, 3), 0.1, np.float32), np.zeros((5, 3), np.float32)):
        with pytest.raises(InputError, match="the features of all 5 images are the"):
            fit_head(same, 2)


def test_state_makes_the_same_head(features: Floats) -> None:
    head = fit_head(features, 4, 0.5)
    again = EmbeddingHead.from_state(head.state_dict())
    np.testing.assert_array_equal(project(again, features), project(head, features))
    assert float(again.whiten) == 0.5


@pytest.mark.parametrize(
    "change",
    [
        None,
        {"mean": None},
        {"mean": "text"},
        {"mean": torch.zeros(39)},
        {"mean": torch.zeros(40, dtype=torch.float64)},
        {"components": torch.zeros(0, 40)},
        {"components": torch.full((4, 40), torch.nan)},
        {"explained": torch.zeros(3)},
        {"whiten": torch.zeros(1)},
    ],
)
def test_a_damaged_state_is_refused(features: Floats, change: object) -> None:
    state = fit_head(features, 4).state_dict()
    content = {**state, **change} if isinstance(change, dict) else change
    with pytest.raises(InputError, match="its embedding head is damaged"):
        EmbeddingHead.from_state(content)
