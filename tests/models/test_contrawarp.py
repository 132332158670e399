"""ContraWarp: one step by hand, what is trained and logged, resuming."""

import copy
from pathlib import Path

import pytest
import torch
from lightly.loss import NegativeCosineSimilarity, NTXentLoss
from pytorch_lightning import LightningModule
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from helpers_training import (
    BYOL,
    NT_XENT,
    batched,
    loader,
    pictures,
    tiny,
    tiny_encoder,
    trainer,
)
from lightly_contrawarp import ActionWarp, ContraWarp
from lightly_contrawarp.transforms.batch_items import FaceItem, FramePair
from lightly_contrawarp.transforms.geometry.landmarks import template_points


@pytest.mark.parametrize(
    ("pairing", "contrast", "num_negatives"),
    [
        ("paired", "online", 3),
        ("paired", "online", 0),
        ("paired", "target", 2),
        ("unpaired", "online", 2),
        ("unpaired", "target", 1),
        ("unpaired", "target", 0),
    ],
)
def test_views_meet_their_counterparts(
    pairing: str, contrast: str, num_negatives: int, faces: Tensor
) -> None:
    """The loss of the batched forward is that of views passed one by one."""
    model = tiny(
        pairing=pairing, contrast=contrast, num_negatives=num_negatives, **BYOL
    )
    model.eval()  # so that passing views one by one gives the same
    views = pictures(batched(num_negatives, pairing)(faces[:5]))
    _, terms = model.terms(views)
    q = [model.projection_head(model(view)) for view in views]
    p = [model.prediction_head(x) for x in q]
    z = [model.target(view) for view in views]
    if pairing == "paired" and num_negatives:
        pairs = [tuple(torch.stack(x[i::2], dim=1) for i in (0, 1)) for x in (q, p, z)]
        pairs[0] = pairs[0] if contrast == "online" else None
        expected = model.criterion(*pairs)
    elif num_negatives:
        expected = model.criterion(
            (q[0], q[1]) if contrast == "online" else None,
            (p[0], p[1]),
            (z[0], z[1]),
            torch.stack((q if contrast == "online" else z)[2:], 1),
        )
    else:
        cosine = NegativeCosineSimilarity()
        expected = (cosine(p[0], z[1]) + cosine(p[1], z[0])) / 2
    torch.testing.assert_close(terms.loss, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("num_negatives", [0, 1, 2])
def test_without_byols_term_there_is_no_target(
    num_negatives: int, faces: Tensor
) -> None:
    """NT-Xent, in which each warp of each face is an instance."""
    model = tiny(num_negatives=num_negatives, **NT_XENT).eval()
    views = pictures(batched(num_negatives)(faces[:5]))
    _, terms = model.terms(views)
    q = [model.projection_head(model(view)) for view in views]
    expected = NTXentLoss(temperature=0.1)(torch.cat(q[0::2]), torch.cat(q[1::2]))
    torch.testing.assert_close(terms.loss, expected, atol=1e-5, rtol=1e-5)
    assert not [name for name, _ in model.named_parameters() if "target" in name]
    terms.loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_positives_and_negatives_share_one_forward(faces: Tensor) -> None:
    model = tiny(num_negatives=2, pairing="unpaired", **BYOL)
    sizes: dict[str, list[int]] = {"online": [], "target": []}
    backbones = {"online": model.backbone, "target": model.target.backbone}
    for name, backbone in backbones.items():
        backbone.register_forward_hook(
            lambda _, args, __, name=name: sizes[name].append(len(args[0]))
        )
    model.terms(batched(2, "unpaired")(faces[:6]))
    assert sizes == {"online": [24], "target": [24]}


def test_target_moves_by_momentum_and_gets_no_gradient(faces: Tensor) -> None:
    torch.manual_seed(0)
    model = tiny(momentum=0.9, batch_transform=batched(), **BYOL)
    with torch.no_grad():
        for parameter in model.backbone.parameters():
            parameter.add_(1.0)
    online = copy.deepcopy(list(model.backbone.parameters()))
    target = copy.deepcopy(list(model.target.backbone.parameters()))
    trainer(max_steps=1).fit(model, loader(faces))
    for new, old, other in zip(
        model.target.backbone.parameters(), target, online, strict=True
    ):
        torch.testing.assert_close(new, 0.9 * old + 0.1 * other)
        assert new.grad is None
    moved = zip(model.backbone.parameters(), online, strict=True)
    assert any(not torch.equal(a, b) for a, b in moved)


def test_logs_terms_and_collapse(faces: Tensor) -> None:
    run = trainer(log_every_n_steps=1)
    run.fit(tiny(batch_transform=batched(), **NT_XENT), loader(faces))
    logged = {key.removeprefix("train/") for key in run.logged_metrics}
    assert logged == {
        "loss", "positive", "negative", "cosine_positive", "cosine_negative", "top1",
        "feature_spread",
    }  # fmt: skip
    assert 0 < run.logged_metrics["train/feature_spread"] < 1.5


def test_logs_how_strong_the_warps_are(faces: Tensor, tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path, "csv")
    trainer(logger=logger).fit(tiny(batch_transform=batched()), loader(faces))
    rows = (tmp_path / "csv" / "version_0" / "metrics.csv").read_text()
    assert "warp/strength" in rows.splitlines()[0]
    warp = ActionWarp()
    strength = warp.strength_of(warp.draw(1000, generator=torch.Generator())).mean()
    assert f"{float(strength):.6f}"[:-1] in rows
    assert 0.05 < strength < 0.45


def test_learns_to_tell_the_warps_of_a_few_faces_apart(faces: Tensor) -> None:
    torch.manual_seed(0)
    model = tiny(lr=1e-2, **NT_XENT, negatives_from="face")
    views = batched(1)(faces)
    optimizer = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], 1e-2
    )
    first = model.terms(views)[1].negative
    for _ in range(40):
        loss = model.terms(views)[1].loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert model.terms(views)[1].negative < 0.8 * first


def test_views_from_a_loader_and_settings_that_differ(faces: Tensor) -> None:
    views = pictures(batched(1, "unpaired")(faces))
    pairs = list(zip(*views, strict=True))
    data = DataLoader([(list(item), 0) for item in pairs], batch_size=8)
    model = tiny(num_negatives=1, pairing="unpaired", **BYOL)
    trainer().fit(model, data)
    with pytest.raises(ValueError, match="expected 8 views and actions for num"):
        tiny(num_negatives=3).terms(views)
    with pytest.raises(ValueError, match="backbone_dim"):
        ContraWarp(tiny_encoder())


def test_no_decay_on_norms_and_biases() -> None:
    model = tiny(**BYOL)
    model.trainer = trainer(max_epochs=-1, max_steps=10)  # type: ignore[assignment]
    decayed, spared = (
        {id(p) for p in group["params"]} for group in _optimizer_of(model).param_groups
    )
    for name, parameter in model.named_parameters():
        if name.startswith("target"):
            assert id(parameter) not in decayed | spared
        else:
            assert (id(parameter) in decayed) is (parameter.ndim > 1)


def _optimizer_of(model: LightningModule) -> torch.optim.Optimizer:
    return model.configure_optimizers()["optimizer"]


@pytest.mark.parametrize("neighbours", [False, True])
def test_landmarks_and_neighbours_reach_the_views(
    neighbours: bool, faces: Tensor
) -> None:
    seen: list[tuple[Tensor, ...]] = []

    class Views(nn.Module):
        def forward(self, *inputs: Tensor) -> list[Tensor]:
            seen.append(inputs)
            return batched()(*inputs)

    landmarks = template_points().repeat(8, 2, 1, 1)
    index = torch.arange(8)
    batch: FaceItem | FramePair = FaceItem(faces[:8], index, landmarks[:, 0])
    if neighbours:
        batch = FramePair(faces[:8], index, landmarks, faces[8:16])
    model = tiny(batch_transform=Views())
    trainer(max_steps=1).fit(model, DataLoader([batch], batch_size=None))
    (inputs,) = seen
    expected = (batch[0], *batch[2:])
    assert len(inputs) == len(expected)
    assert all(torch.equal(a, b) for a, b in zip(inputs, expected, strict=True))
    moved = model.transfer_batch_to_device(batch, torch.device("meta"), 0)
    assert moved.image.device.type == "meta"
    assert moved.landmarks.device.type == "cpu"  # where warps are drawn


def test_only_modules_of_ones_own_may_take_channels_to_be_first() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3, stride=8)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            features = self.conv(images)
            return features.view(len(features), -1)  # fails with channels last

    views = [torch.rand(2, 3, 16, 16) for _ in range(4)] + [torch.rand(2, 1, 10)]
    own = ContraWarp(Own(), backbone_dim=8, input_size=16)
    assert own.terms(views)[1].loss.isfinite()
    weight = ContraWarp("small").backbone[3].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    weight = ContraWarp("small", channels_last=False).backbone[3].weight
    assert weight.is_contiguous()
