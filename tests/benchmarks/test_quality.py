"""The quality benchmark: variants, restart, means and verdicts."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import nn

from benchmarks.quality.images import (
    Images,
    draw_videos,
    load_faces,
    split_dev,
    video_neighbours,
)
from benchmarks.quality.judging import encode, tells_warped
from benchmarks.quality.learners import LEARNERS, Learner
from benchmarks.quality.results import Mean, write_results
from benchmarks.quality.runs import all_tasks, do_runs
from benchmarks.quality.scales import SCALES, Scale
from benchmarks.quality.training import Run
from benchmarks.quality.variants import ABLATION, CONTROLS, MAIN, TRACKS, Variant
from contrawarp_edge.core.errors import InputError
from helpers import write
from lightly_contrawarp.data.faces_csv import csv_header
from lightly_contrawarp.models.checkpoint import load_backbone
from lightly_contrawarp.transforms.geometry.landmarks import template_points

TINY = Scale("tiny", "small", 32, 8, 1e-3, 1, 1, 1, 1, None, 70, 1, 2)
EVERY = {v.name: v for v in (*MAIN, *CONTROLS, *ABLATION)}


def images(count: int = 16) -> Images:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(
        0, 256, (count, 1, 32, 32), dtype=torch.uint8, generator=generator
    )
    return Images(pixels, torch.arange(count) % 7)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_variant_has_a_loss_that_trains_its_parts(name: str) -> None:
    torch.manual_seed(0)
    variant = EVERY[name]
    learner = LEARNERS[variant.learner](variant, "small", 32).train()
    batch = images(6)
    loss = learner.loss(batch, 0.5)
    assert loss.isfinite()
    loss.backward()
    for part in learner.trained():
        assert all(p.grad is not None for p in part.parameters())


@pytest.mark.parametrize("variant", TRACKS, ids=lambda variant: variant.name)
def test_neighbours_are_shown_in_second_views(variant: Variant) -> None:
    frames = draw_videos(20, seed=3)
    near = None
    if variant.neighbours:
        near = video_neighbours(20, 3, variant.neighbours)
    run = Run(variant, TINY, seed=0, epochs=1, images=20, near=near)
    seen: list[tuple[Any, ...]] = []
    forward = run.learner.views.forward

    def views(*inputs: Any) -> list[torch.Tensor]:
        seen.append(inputs)
        return forward(*inputs)

    run.learner.views.forward = views  # type: ignore[method-assign]
    run._take_step(frames)
    ((pixels, landmarks, others),) = seen
    guided = variant.landmarks
    if not variant.neighbours:
        assert others is None
        assert landmarks is None or landmarks.shape == (8, 8, 2)
        return
    assert not any(torch.equal(a, b) for a, b in zip(pixels, others, strict=True))
    places = [
        [int((frames.pixels == one).flatten(1).all(1).nonzero()) for one in part]
        for part in (pixels, others)
    ]
    for one, other in zip(*places, strict=True):
        assert one // 10 == other // 10
        assert abs(one - other) * 2 / 9 <= variant.neighbours
    if guided:
        known = frames.landmarks[torch.tensor(places)].transpose(0, 1)
        assert torch.equal(landmarks, known)


def test_variants_differ_in_what_they_say_they_do() -> None:
    names = [variant.name for variant in (*MAIN, *CONTROLS)]
    assert len(set(names)) == len(names)
    assert len({v.name for v in ABLATION}) == len(ABLATION)
    byol = Learner(EVERY["byol"], "small", 32).model
    assert byol.target is not None
    assert byol.criterion.of_batch is None
    simclr = Learner(EVERY["simclr"], "small", 32).model
    assert simclr.target is None
    assert simclr.hparams["num_negatives"] == 0
    still = Learner(EVERY["identity"], "small", 32).views.transform
    assert still.warp.draw(4).vectors.abs().max() == 0


def test_negatives_alone_see_a_batch_of_their_own() -> None:
    learner = LEARNERS["negatives_alone"](EVERY["negatives-alone"], "small", 32)
    sizes: list[int] = []
    learner.model.target.backbone.register_forward_hook(
        lambda _, args, __: sizes.append(len(args[0]))
    )
    learner.loss(images(6), 0.0)
    assert sizes == [12, 6]


def test_a_stopped_run_ends_as_an_unstopped_one(tmp_path: Path) -> None:
    data = images(32)

    class Stop(Exception):
        pass

    def stop(encoder: nn.Module) -> float:
        raise Stop

    def train(state: Path, measure: Any) -> Run:
        run = Run(EVERY["byol"], TINY, seed=3, epochs=2, images=32)
        run.train(data, state, measure)
        return run

    def first(encoder: nn.Module) -> float:
        measured.append(1.0)
        if len(measured) == 2:
            raise Stop
        return 0.5

    whole = train(tmp_path / "a", lambda encoder: 0.5)
    measured: list[float] = []
    with pytest.raises(Stop):
        train(tmp_path / "b", first)
    resumed = train(tmp_path / "b", lambda encoder: 0.5)
    assert resumed.curve == whole.curve == [(1.0, 0.5), (2.0, 0.5)]
    pairs = zip(whole.backbone.parameters(), resumed.backbone.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_encode_is_the_encoder_on_preprocessed_images() -> None:
    from lightly_contrawarp.models.preprocessing import preprocess

    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1))
    data = images(4)
    expected = encoder(preprocess(data.pixels.expand(-1, 3, -1, -1), 24)).flatten(1)
    actual = encode(encoder, data.pixels, 24)
    np.testing.assert_allclose(actual, expected.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_tells_warped_is_at_chance_for_features_that_ignore_warps() -> None:
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3)) * 0 + self.weight

    data = images(20)
    assert tells_warped(Mean(), data, data, 32) == 0.5


def test_split_dev_is_fixed_and_disjoint() -> None:
    data = Images(torch.arange(50).view(50, 1, 1, 1), torch.arange(50))
    train, dev = split_dev(data)
    assert (len(train.labels), len(dev.labels)) == (40, 10)
    assert sorted(torch.cat([train.labels, dev.labels]).tolist()) == list(range(50))
    assert torch.equal(split_dev(data)[1].labels, dev.labels)
    assert data.spread(5).labels.tolist() == [0, 12, 24, 36, 49]


def test_mean_has_the_t_interval_of_scipy() -> None:
    values = [40.0, 41.0, 43.5]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    mean = Mean.of(values)
    assert (mean.value - mean.half, mean.value + mean.half) == pytest.approx(
        (low, high)
    )
    assert math.isnan(Mean.of([1.0, 2.0]).half)
    assert Mean(50.0, 1.0).is_apart_from(Mean(47.0, 1.5))
    assert not Mean(50.0, 1.0).is_apart_from(Mean(48.0, 1.0))
    assert not Mean.of([50.0]).is_apart_from(Mean(1.0, 1.0))


def folders(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for part, count in (("train", 30), ("validation", 10)):
        for name in ("happy", "sad"):
            (root / part / name).mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (48, 48), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{index}.png")
    return root


def test_faces_are_decoded_once(tmp_path: Path) -> None:
    data = folders(tmp_path / "data")
    train, validation = load_faces(data, tmp_path / "out" / "faces.npz", None)
    assert train.pixels.shape == (60, 1, 48, 48)
    assert validation.labels.tolist() == [0] * 10 + [1] * 10
    first = np.asarray(Image.open(data / "train" / "happy" / "0.png"))
    assert np.array_equal(train.pixels[0, 0].numpy(), first)
    assert train.landmarks is None
    points = "0.3,0.4,0.7,0.4,0.5,0.6,0.4,0.8,0.6,0.8"
    row = f"happy/1.png,,,,,{points}"
    write(data / "train" / "faces.csv", ",".join(csv_header()), row)
    landmarks = load_faces(data, tmp_path / "out" / "faces.npz", None)[0].landmarks
    assert landmarks.shape == (60, 8, 2)
    assert torch.equal(landmarks[0], template_points())  # 0.png comes first
    assert landmarks[1, 2].tolist() == pytest.approx([0.3, 0.4])
    few, _ = load_faces(tmp_path / "gone", tmp_path / "out" / "faces.npz", 6)
    assert few.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_runs_and_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two variants from images to RESULTS.md; a second call does nothing again."""
    monkeypatch.setitem(SCALES, "tiny", TINY)
    chosen = tuple(Variant(v.name, v.says, v.learner, v.module) for v in (
        EVERY["random"], EVERY["byol"], EVERY["contrawarp"]))  # fmt: skip
    monkeypatch.setattr("benchmarks.quality.runs.MAIN", chosen)
    with pytest.raises(InputError, match="no finished run"):
        write_results(TINY, tmp_path, tmp_path)
    data, out = folders(tmp_path / "data"), tmp_path / "out"
    do_runs(TINY, data, out, ["main"], jobs=0)
    times = {path: path.stat().st_mtime_ns for path in out.glob("main-*")}
    assert len(times) == 6  # a result and a checkpoint each, and no state is left
    do_runs(TINY, data, out, ["main"], jobs=0)
    assert times == {path: path.stat().st_mtime_ns for path in out.glob("main-*")}
    result = json.loads((out / "main-byol-0.json").read_text())
    assert result["steps"] == 7
    assert len(result["curve"]) == 2
    assert 0 <= result["scores"]["linear"] <= 1
    backbone, info = load_backbone(out / "main-byol-0.ckpt")
    assert info.name == "small"
    assert backbone(torch.zeros(1, 3, 32, 32)).shape == (1, 128)
    line = write_results(TINY, out, tmp_path)
    tasks = all_tasks(TINY)
    unguided = [task for task in tasks if task.needs_landmarks]
    assert [task.variant.name for task in unguided] == ["landmarks"]
    remaining = len(tasks) - len(unguided) - 3
    assert line.endswith(f"3 runs, {remaining} to be done")
    text = (tmp_path / "RESULTS.md").read_text()
    shown = f"{100 * result['scores']['linear']:.1f}"
    assert f"| `byol` | BYOL | 0.9 | {shown} |" in text
    assert "`contrawarp`" in text
    assert "- controls: `identity`, seed 0" in text
    assert (tmp_path / "accuracy.svg").read_text().startswith("<svg")
