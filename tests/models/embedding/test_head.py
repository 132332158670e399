"""The linear head against scikit-learn and NumPy."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.models.embedding import head as module
from lightly_contrawarp.models.embedding.head import EmbeddingHead, Moved, fit_head

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
        monkeypatch.setattr(module, "MOST_EXACT", 10)
    head = fit_head(features, 8, whiten)
    pca = PCA(8, svd_solver="full").fit(features.astype(np.float64))
    variances = pca.explained_variance_ ** (1 - whiten)
    share = variances.sum()
    scale = pca.explained_variance_ ** (-whiten / 2) / np.sqrt(share)
    expected = pca.transform(features) * scale
    projected = project(head, features)
    np.testing.assert_allclose(np.abs(projected), np.abs(expected), atol=2e-2)
    by_hand = (features - head.mean.numpy()) @ head.components.numpy().T
    np.testing.assert_allclose(projected, by_hand, atol=1e-3)
    np.testing.assert_allclose(
        head.explained, pca.explained_variance_ratio_, rtol=1e-3, atol=1e-6
    )
    np.testing.assert_allclose(projected.var(0, ddof=1), variances / share, rtol=1e-2)
    again = fit_head(features, 8, whiten)
    for one, other in zip(
        head.state_dict().values(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_first_components_are_those_of_a_smaller_head(features: Floats) -> None:
    first, smaller = fit_head(features, 12).first(5), fit_head(features, 5)
    assert first.dim == 5
    factor = first.components[0, 0] / smaller.components[0, 0]
    torch.testing.assert_close(first.components, factor * smaller.components)
    torch.testing.assert_close(first.explained, smaller.explained)
    assert first.components.untyped_storage().nbytes() == 5 * 40 * 4
    with pytest.raises(InputError, match="6 dimensions are more than the 5"):
        first.first(6)


@pytest.fixture
def moved(features: Floats) -> Moved:
    """Three actions that move features along fixed directions, and noise."""
    rng = np.random.default_rng(1)
    actions = rng.choice([-0.3, 0.0, 0.3], size=(1600, 3)).astype(np.float32)
    along = rng.normal(size=(3, 40))
    noise = rng.normal(size=(1600, 40)) * 0.05
    return Moved((actions @ along + noise).astype(np.float32), actions)


def test_axes_of_actions_come_first(features: Floats, moved: Moved) -> None:
    head = fit_head(features, 8, moved=moved)
    assert (head.dim, len(head.r2)) == (8, 3)
    assert head.r2.min() > 0.9
    differences, actions = (part[:1500].astype(np.float64) for part in moved)
    penalty = 0.1 * moved.differences.var() * 1500 * np.eye(40)
    weights = np.linalg.solve(
        differences.T @ differences + penalty, differences.T @ actions
    )
    axes = head.components[:3].numpy()
    for axis, expected in zip(axes, weights.T, strict=True):
        cosine = axis @ expected / np.linalg.norm(axis) / np.linalg.norm(expected)
        assert cosine > 0.9999
    told = moved.differences[1500:] @ axes.T
    for column, truth in zip(told.T, moved.actions[1500:].T, strict=True):
        assert np.corrcoef(column, truth)[0, 1] > 0.95
    projected = project(head, features)
    np.testing.assert_allclose(projected[:, :3].var(0), 1 / 3, rtol=1e-3)
    assert projected[:, 3:].var(0).sum() == pytest.approx(1, rel=1e-2)
    assert not head.explained[:3].any()
    rest = fit_head(features, 5)
    torch.testing.assert_close(head.components[3:], rest.components)
    with pytest.raises(InputError, match="2 dimensions are too few: 3 are axes"):
        head.first(2)
    assert len(EmbeddingHead.from_state(head.state_dict()).r2) == 3


def test_no_axes_where_actions_cannot_be_told(features: Floats, moved: Moved) -> None:
    shuffled = np.random.default_rng(2).permutation(moved.actions)
    alike = Moved(np.zeros_like(moved.differences), moved.actions)
    few = Moved(moved.differences[:8], moved.actions[:8])
    for hopeless in (moved._replace(actions=shuffled), alike, few):
        head = fit_head(features, 8, moved=hopeless)
        assert not len(head.r2)
        assert torch.equal(head.components, fit_head(features, 8).components)
    assert not len(fit_head(features, 3, moved=moved).r2)  # would leave nothing else


def test_many_features_take_fewer_differences(
    features: Floats, moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit_head(features, 8, moved=moved)
    monkeypatch.setattr(module, "MOST_EXACT", 39)
    head = fit_head(features, 8, moved=moved)
    assert head.r2.shape == (3,)
    assert not torch.equal(head.components[:3], whole.components[:3])
    # They are drawn from all: images by class come in order.
    order = np.argsort(moved.actions[:, 0], kind="stable")
    in_order = fit_head(features, 8, moved=Moved(*(part[order] for part in moved)))
    assert in_order.r2.min() > 0.5


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
        {"r2": torch.zeros(5)},
        {"r2": None},
    ],
)
def test_a_damaged_state_is_refused(features: Floats, change: object) -> None:
    state = fit_head(features, 4).state_dict()
    content = {**state, **change} if isinstance(change, dict) else change
    with pytest.raises(InputError, match="its embedding head is damaged"):
        EmbeddingHead.from_state(content)
