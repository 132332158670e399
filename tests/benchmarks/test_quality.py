"""The quality benchmark: variants, time, restart, judging and results."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.quality.features import encode
from benchmarks.quality.judging import Truth, judge, quick_accuracy
from benchmarks.quality.learners import make_learner
from benchmarks.quality.plan import PARTS, Plan, Scale, all_tasks
from benchmarks.quality.report.results import write_results
from benchmarks.quality.runs import _in_time, do_runs
from benchmarks.quality.training import Point, Run
from benchmarks.quality.variants import ABLATION, CONTROLS, MAIN, Variant
from contrawarp_edge.core.errors import InputError
from helpers import Clock
from helpers_quality import CLASSES, TINY, folders, images
from lightly_contrawarp.models.checkpoint import load_embedding

EVERY = {v.name: v for v in (*ABLATION, *CONTROLS, *MAIN)}


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"small_w64", "random"}))
def test_every_variant_has_a_loss_that_trains_its_parts(name: str) -> None:
    torch.manual_seed(0)
    learner = make_learner(EVERY[name], "small", 48, 2).train()
    loss = learner.loss(images(6))
    assert loss.isfinite()
    loss.backward()
    for part in learner.trained():
        assert all(p.grad is not None for p in part.parameters())


def test_variants_differ_in_what_they_say_they_do() -> None:
    for variants in ([*MAIN, *CONTROLS], ABLATION):
        assert len({variant.name for variant in variants}) == len(variants)
    byol = make_learner(EVERY["byol"], "small", 48, 2).model
    assert byol.target is not None
    simclr = make_learner(EVERY["simclr"], "small", 48, 2).model
    assert simclr.target is None
    assert simclr.settings.num_negatives == 0
    still = make_learner(EVERY["identity"], "small", 48, 2).views.transform
    assert still.warp.draw(4).vectors.abs().max() == 0
    moving = make_learner(EVERY["no-action-term"], "small", 48, 2).views.transform
    assert moving.warp.draw(4).vectors.abs().max() > 0


def run(variant: str = "byol", **changes: Any) -> Run:
    given = {"epochs": 2.0, **changes}
    return Run(EVERY[variant], TINY, 3, images(32), **given)


def test_a_stopped_run_ends_as_an_unstopped_one(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def first(encoder: nn.Module) -> float:
        measured.append(1.0)
        if len(measured) == 2:
            raise Stop
        return 0.5

    def train(state: Path, measure: Any) -> Run:
        one = run()
        one.train(images(32), state, measure)
        return one

    whole = train(tmp_path / "a", lambda encoder: 0.5)
    measured: list[float] = []
    with pytest.raises(Stop):
        train(tmp_path / "b", first)
    resumed = train(tmp_path / "b", lambda encoder: 0.5)
    assert [point.epoch for point in resumed.curve] == [1.0, 2.0]
    assert resumed.seconds >= resumed.curve[0].seconds > 0
    pairs = zip(whole.backbone.parameters(), resumed.backbone.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_minutes_end_a_run_and_its_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    one = run(minutes=1.0)
    monkeypatch.setattr(one, "_clock", lambda: clock.now)
    rates, momenta = [], []

    def step(*place: Any) -> None:
        take(*place)
        clock.sleep(9)
        rates.append(one.optimizer.param_groups[0]["lr"])

    def measure(encoder: nn.Module) -> float:
        clock.sleep(1000)  # which does not count
        return 0.5

    def update(done: int, total: int) -> None:
        momenta.append(done / total)

    take = one._take_step
    monkeypatch.setattr(one, "_take_step", step)
    monkeypatch.setattr(one.learner.model, "update_target", update)
    one.train(images(32), tmp_path / "state", measure)
    assert one.step == 7  # of 9 s each, until a minute is over
    assert one.seconds == 63
    assert one.curve == [Point(36, 1.0, 0.5), Point(63, 1.75, 0.5)]
    assert momenta == pytest.approx([0.15 * step for step in range(7)])
    assert rates[1] == max(rates)
    assert rates[-1] < 0.1 * max(rates)
    again = run(minutes=1.0)
    again._restore(tmp_path / "state")
    assert (again.step, again.seconds) == (7, 63)
    assert again._place() == (63_000, 60_000)


def test_features_are_those_of_the_encoder_on_preprocessed_images() -> None:
    from lightly_contrawarp.models.preprocessing import preprocess

    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1)).eval()
    data = images(4)
    inputs = preprocess(data.pixels.expand(-1, 3, -1, -1), 24)
    found = encode(encoder, data, 24)
    expected = encoder(inputs).flatten(1).detach().numpy()
    np.testing.assert_allclose(found.pooled, expected, rtol=1e-5, atol=1e-6)
    cells = nn.functional.adaptive_avg_pool2d(encoder[0](inputs), 3)
    np.testing.assert_allclose(
        found.spatial, cells.flatten(1).detach().numpy(), rtol=1e-4, atol=1e-5
    )


def test_features_that_tell_expressions_and_no_people_get_full_marks() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 20)
    truth = Truth(labels, CLASSES, np.repeat(np.arange(20), 2))
    values = (np.eye(2)[labels] + 0.01 * rng.normal(size=(40, 2))).astype(np.float32)
    names = ("train", "test", "drawn_train", "drawn", "lfw", "pairs")
    sets = dict.fromkeys(names, values), dict.fromkeys(names, truth)
    scores = judge(*sets, "test")
    for name in ("linear", "drawn_linear", "lfw_p10", "lfw_auc", "drawn_p10",
                 "pairs_expression"):  # fmt: skip
        assert scores[name] == 1, name
        assert scores[f"{name}_interval"] == (1, 1), name
    assert scores["pairs_person"] == 0
    # Below every pair of two people with one expression, like those with two.
    assert scores["lfw_identity"] == pytest.approx(0.25, abs=0.05)
    assert quick_accuracy((values, values), (truth, truth)) == 1


def test_runs_and_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two variants from images to RESULTS.md; a second call does nothing again."""
    chosen = (EVERY["random"], EVERY["byol"])
    for part, variants in (
        ("main", chosen),
        ("controls", ()),
        ("ablation", ABLATION[:1]),
    ):
        monkeypatch.setitem(PARTS, part, variants)
    monkeypatch.setattr(
        "benchmarks.quality.judging.HEADS", [(2, 0.0, True), (4, 1.0, False)]
    )
    plan = Plan(TINY, folders(tmp_path / "data"), tmp_path / "out" / "tiny")
    with pytest.raises(InputError, match="no finished run"):
        write_results(plan, tmp_path)
    do_runs(plan, ["main"])
    results = sorted(plan.out.glob("main-*"))
    assert len(results) == 4  # a result and a checkpoint each, and no state is left
    times = [path.stat().st_mtime_ns for path in results]
    do_runs(plan, ["main"])
    assert times == [path.stat().st_mtime_ns for path in results]
    result = json.loads((plan.out / "main-byol-0.json").read_text())
    assert (result["steps"], result["epochs"]) == (7, 1)
    assert len(result["curve"]) == 2
    network, info = load_embedding(plan.out / "main-byol-0.ckpt")
    assert network(torch.zeros(1, 3, 48, 48)).shape == (1, info.dim)
    assert write_results(plan, tmp_path).endswith("2 runs, 1 to be done")
    text = (tmp_path / "RESULTS.md").read_text()
    assert "- ablation: `contrawarp`, seed 0" in text
    assert "| `mini-xception` |" in text
    do_runs(plan, ["ablation"])
    assert write_results(plan, tmp_path).endswith("3 runs, 0 to be done")
    text = (tmp_path / "RESULTS.md").read_text()
    shown = f"{100 * result['scores']['embedding']['linear']:.1f}"
    assert f"| `byol` | BYOL: no warps | 1.0 | 0.0 | {shown} (" in text
    assert "| 4 | 1 |" in text
    for name in ("accuracy", "search"):
        assert (tmp_path / f"{name}.svg").read_text().startswith("<svg")


def test_a_run_that_diverges_ends_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Variant("lost", "of which weights are lost")
    for part, variants in (
        ("main", (lost, EVERY["random"])),
        ("controls", ()),
        ("ablation", ()),
    ):
        monkeypatch.setitem(PARTS, part, variants)
    monkeypatch.setattr(Run, "_take_step", lambda self, *_: _spoil(self.backbone))
    plan = Plan(TINY, folders(tmp_path / "data"), tmp_path / "out" / "tiny")
    do_runs(plan, ["main"])
    assert (plan.out / "main-random-0.json").exists()
    assert "training has diverged" in (plan.out / "main-lost-0.failed").read_text()
    assert write_results(plan, tmp_path).endswith("1 runs, 1 to be done")
    text = (tmp_path / "RESULTS.md").read_text()
    assert "- `main-lost-0`: failed: " in text
    assert "training has diverged" in text
    monkeypatch.undo()
    monkeypatch.setitem(PARTS, "main", (EVERY["byol"], EVERY["random"]))
    other = replace(plan, sources=folders(tmp_path / "other", seed=1))
    with pytest.raises(InputError, match="other images than --data and --lfw and"):
        do_runs(other, ["main"])


def _spoil(network: nn.Module) -> None:
    for weight in network.parameters():
        weight.data.fill_(float("nan"))


def test_no_run_begins_that_would_end_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, begun = Clock(), []

    def do(task: Any, plan: Plan) -> None:
        begun.append(task.name)
        clock.sleep(90)  # a minute of training, and half of one of judging

    monkeypatch.setattr("benchmarks.quality.runs.time", clock)
    monkeypatch.setattr("benchmarks.quality.runs.try_train", do)
    plan = Plan(TINY, folders(tmp_path / "data"), tmp_path / "out", minutes=1.0)
    todo = all_tasks(TINY)
    done = list(_in_time(todo, plan, clock.monotonic() + 300))
    assert [task.name for task in done] == begun
    assert begun == [task.name for task in todo[:3]]  # the next would end at 390 s


def test_what_matters_most_comes_first() -> None:
    tasks = all_tasks(Scale(**{**vars(TINY), "seeds": 2}))
    names = [(task.variant.name, task.seed) for task in tasks]
    order = ("contrawarp", "byol-actions", "simclr", "byol", "random", "supervised")
    assert names[:6] == [(name, 0) for name in order]
    both = len(MAIN) + len(CONTROLS)
    assert {task.part for task in tasks[:both]} == {"main", "controls"}
    assert names[both] == ("contrawarp", 1)
