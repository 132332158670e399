"""One run from images to its result: trained, encoded, judged, written."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any, NamedTuple

import torch

from benchmarks.facts import commit, hardware
from benchmarks.quality.features import (
    Features,
    Values,
    embed,
    encode,
    moved_rows,
    training_rows,
)
from benchmarks.quality.images import Images, fingerprints, load_sets, split_dev
from benchmarks.quality.judging import (
    CURVE_IMAGES,
    Truth,
    judge,
    judge_heads,
    quick_accuracy,
)
from benchmarks.quality.plan import Plan, Task
from benchmarks.quality.training import Run, precision
from contrawarp_edge.core.files import atomic_write_text
from lightly_contrawarp.evaluation.versions import versions
from lightly_contrawarp.models.checkpoint import CHECKPOINT_KEY, HEAD_KEY
from lightly_contrawarp.models.embedding.head import Moved, fit_head
from lightly_contrawarp.training.lightning import AtomicCheckpointIO


class Trained(NamedTuple):
    """A trained run, as far as it is needed to judge it.

    Attributes:
        facts: What its result says of the training.
        truth: What is known of the images of each set.
        embedding: Their embedding, as it would be exported.
        pooled: The encoder's output.
        features: For other embedding heads, if these are wanted.
        moved: How actions move those of the training images.
    """

    facts: dict[str, Any]
    truth: dict[str, Truth]
    embedding: dict[str, Values]
    pooled: dict[str, Values]
    features: dict[str, Features]
    moved: Moved


def do_run(task: Task, plan: Plan) -> None:
    """Trains and judges one run, and writes its result, or why there is none."""
    if (trained := try_train(task, plan)) is not None:
        try_finish(task, plan, trained)


def try_train(task: Task, plan: Plan) -> Trained | None:
    """Trains one run; one that fails leaves a file that says why, and ends no other."""
    try:
        return train_run(task, plan)
    except Exception:
        atomic_write_text(plan.failure(task), traceback.format_exc())
        return None


def try_finish(task: Task, plan: Plan, trained: Trained) -> None:
    """Judges a trained run, likewise."""
    try:
        finish_run(task, plan, trained)
    except Exception:
        atomic_write_text(plan.failure(task), traceback.format_exc())


def train_run(task: Task, plan: Plan) -> Trained:
    """Trains one run, or the rest of it, and encodes the images it is judged by."""
    scale, ablation = plan.scale, task.part == "ablation"
    sets = _sets(plan, ablation)
    train, test = sets["train"], sets["test"]
    run = Run(
        task.variant,
        scale,
        task.seed,
        train,
        epochs=scale.ablation_epochs if ablation else scale.epochs,
        minutes=plan.minutes,
    )
    size = scale.input_size
    few = train.spread(CURVE_IMAGES), test
    known = Truth.of(few[0]), Truth.of(few[1])

    def measure(backbone: torch.nn.Module) -> float:
        some = [encode(backbone, images, size).pooled for images in few]
        return quick_accuracy((some[0], some[1]), known)

    run.train(train.to(run.device), plan.state(task), measure)
    features = {name: encode(run.backbone, one, size) for name, one in sets.items()}
    moved = moved_rows(run.backbone, train, size)
    rows = training_rows(features["train"].spatial)
    head = fit_head(rows, run.settings.embedding_dim, moved=moved)
    weights = {f"backbone.{k}": v for k, v in run.backbone.state_dict().items()}
    content = {
        CHECKPOINT_KEY: run.learner.model.info.to_dict(),
        "state_dict": weights,
        HEAD_KEY: head.state_dict(),
    }
    AtomicCheckpointIO().save_checkpoint(content, plan.checkpoint(task))
    facts = {
        "settings": dict(run.learner.model.hparams),
        "images": run.count,
        "steps": run.step,
        "epochs": run.epochs,
        "seconds": run.seconds,
        "curve": run.curve,
        "precision": precision(run.device),
        "hardware": hardware(),
        "at_a_time": max(1, plan.jobs),
        "seen": seen(plan),
    }
    return Trained(
        facts,
        {name: Truth.of(images) for name, images in sets.items()},
        embed(features, head),
        {name: one.pooled for name, one in features.items()},
        features if task.variant.heads else {},
        moved,
    )


def finish_run(task: Task, plan: Plan, trained: Trained) -> None:
    """Judges a trained run and writes its result."""
    truth = trained.truth
    result = {
        "part": task.part,
        "variant": task.variant.name,
        "seed": task.seed,
        "scale": asdict(plan.scale),
        "minutes": plan.minutes,
        **trained.facts,
        "scores": {
            "embedding": judge(trained.embedding, truth, "test", task.seed),
            "pooled": judge(trained.pooled, truth, "test", task.seed),
        },
        "heads": judge_heads(trained.features, trained.moved, truth, "test"),
        "commit": commit(),
        "versions": versions(),
    }
    atomic_write_text(plan.result(task), json.dumps(result, indent=2) + "\n")
    plan.state(task).unlink(missing_ok=True)


@lru_cache(maxsize=1)
def load_all(plan: Plan) -> Mapping[str, Images]:
    """All sets of a plan."""
    return load_sets(plan.sources, plan.out.parent / "images", plan.scale)


@lru_cache(maxsize=1)
def seen(plan: Plan) -> Mapping[str, str]:
    """Fingerprints of the images of a plan."""
    return fingerprints(load_all(plan))


def _sets(plan: Plan, ablation: bool) -> Mapping[str, Images]:
    """The sets of a run; nothing is chosen on what rows are compared by."""
    sets = dict(load_all(plan))
    validation = sets.pop("validation")
    if ablation:
        sets["train"], sets["test"] = split_dev(sets["train"])
        return {name: sets[name] for name in ("train", "test", "drawn_train", "drawn")}
    return {**sets, "test": validation}
