"""Predicting actions: against scikit-learn, and whether it can be learnt."""

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_squared_error, r2_score
from torch import Tensor, nn

from helpers_training import ACTION, NT_XENT
from lightly_contrawarp import ActionHead, ContraWarpLoss
from lightly_contrawarp.loss.of_views import warped_and_not

B, M, A, D = 6, 3, 4, 16

only_actions = ContraWarpLoss(**ACTION)


def drawn(batch: int = B) -> Tensor:
    """Signed strengths, half of them 0; of mean 0 for each action, as if of many."""
    half = torch.randn(batch // 2, M, A) * (torch.rand(batch // 2, M, A) > 0.5)
    half[0] = 1.0  # so that each is drawn
    return torch.cat([half, -half])


@pytest.mark.parametrize("pairs", [(), (2,)])
def test_matches_scikit_learn(pairs: tuple[int, ...]) -> None:
    actions = drawn()
    predicted = torch.randn(*pairs, B, M, A) + actions
    terms = only_actions.terms(predicted_actions=predicted, actions=actions)
    rows = [
        x.reshape(-1, A).double().numpy()
        for x in (actions.expand_as(predicted), predicted)
    ]
    r2 = r2_score(*rows, multioutput="raw_values", force_finite=False)
    np.testing.assert_allclose(terms.r2, r2, rtol=1e-5)
    relative = mean_squared_error(*rows) / np.mean(rows[0] ** 2)
    assert terms.action.item() == pytest.approx(relative, rel=1e-5)
    torch.testing.assert_close(terms.loss, terms.action)


def test_an_action_that_nobody_drew() -> None:
    actions = drawn()
    actions[..., 1] = 0
    predicted = torch.randn(B, M, A)
    terms = only_actions.terms(predicted_actions=predicted, actions=actions)
    assert terms.r2.isnan().tolist() == [False, True, False, False]
    assert terms.loss.isfinite()
    still = only_actions(predicted_actions=predicted, actions=0 * actions)
    torch.testing.assert_close(still, predicted.square().mean())


def test_knows_nothing_at_first() -> None:
    head = ActionHead(D, A)
    predicted = head(torch.randn(B, M, D), torch.randn(B, 1, D))
    terms = only_actions.terms(predicted_actions=predicted, actions=drawn())
    assert terms.action.item() == pytest.approx(1)
    assert terms.r2.tolist() == pytest.approx([0] * A)


def test_the_weight_adds_the_term_to_the_others() -> None:
    q0, q1 = torch.randn(2, B, M + 1, D)
    predicted, actions = torch.randn(B, M, A), drawn()
    terms = ContraWarpLoss(**{**NT_XENT, "action_weight": 0.3}).terms(
        (q0, q1), predicted_actions=predicted, actions=actions
    )
    alone = ContraWarpLoss(**NT_XENT)((q0, q1))
    torch.testing.assert_close(terms.loss, alone + 0.3 * terms.action)
    assert not terms.action.requires_grad


def test_gradient_reaches_the_features_and_the_head() -> None:
    encoder, head = nn.Linear(5, D), ActionHead(D, A)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], 0.1)
    faces, actions = torch.randn(B, 1 + M, 5), drawn()
    for _ in range(2):  # the first step only moves the head: its weights are 0
        features = encoder(faces)
        predicted = head(features[:, 1:], features[:, :1])
        optimizer.zero_grad()
        only_actions(predicted_actions=predicted, actions=actions).backward()
        assert head.weight.grad.abs().max() > 0
        optimizer.step()
    assert encoder.weight.grad.abs().max() > 0
    assert encoder.bias.grad.abs().max() < 1e-6  # what views share is subtracted


def test_bfloat16_is_close_to_float32() -> None:
    encoder, head = nn.Linear(D, D), ActionHead(D, A)
    nn.init.normal_(head.weight)
    faces, actions = torch.randn(B, 1 + M, D), drawn()

    def term() -> Tensor:
        features = encoder(faces)
        predicted = head(features[:, 1:], features[:, :1])
        assert predicted.dtype == torch.float32
        return only_actions(predicted_actions=predicted, actions=actions)

    exact = term()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = term()
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(exact.item(), rel=0.02)


def test_learns_actions_that_features_follow() -> None:
    """Features of a face are its own, plus what the actions do to any face."""
    moves = torch.randn(A, D)
    head = ActionHead(D, A)
    optimizer = torch.optim.Adam(head.parameters(), 0.05)
    for _ in range(300):
        actions, face = drawn(64), torch.randn(64, 1, D)
        warped = face + actions @ moves + 0.05 * torch.randn(64, M, D)
        terms = only_actions.terms(
            predicted_actions=head(warped, face), actions=actions
        )
        optimizer.zero_grad()
        terms.loss.backward()
        optimizer.step()
    assert terms.r2.min() > 0.95
    assert terms.action < 0.05


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        (6, [([3, 5], [0]), ([2, 4], [1])]),  # two of each: 0 0' 1 1' 2 2'
        (4, [([2, 3], [0]), ([2, 3], [1])]),  # 0 0' 1 2
        (3, [([1, 2], [0])]),  # 0 1 2
    ],
)
def test_which_views_are_subtracted(
    views: int, expected: list[tuple[list[int], list[int]]]
) -> None:
    images = torch.arange(5)
    view = torch.arange(views).repeat_interleave(5)
    features = torch.stack([view, images.repeat(views)], 1)
    pairs = warped_and_not(features, batch=5, num_warps=2)
    assert [(w[0, :, 0].tolist(), u[0, :, 0].tolist()) for w, u in pairs] == expected
    for side in (x for pair in pairs for x in pair):
        assert (side[..., 1] == images[:, None]).all()


def test_wrong_inputs() -> None:
    actions = drawn()
    with pytest.raises(ValueError, match="given together"):
        only_actions(actions=actions)
    with pytest.raises(ValueError, match="needs predicted_actions and actions"):
        only_actions()
    with pytest.raises(ValueError, match=r"got \[6, 3, 4\] and \[6, 3, 5\]"):
        only_actions(predicted_actions=torch.zeros(B, M, A + 1), actions=actions)
    with pytest.raises(ValueError, match="give projections"):
        ContraWarpLoss(**NT_XENT)(predicted_actions=actions, actions=actions)
