"""All runs of a scale: which there are, what is done, and doing the rest."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from functools import lru_cache
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from benchmarks.facts import commit, hardware
from benchmarks.quality.features import (
    Features,
    Values,
    embed,
    encode,
    moved_rows,
    training_rows,
)
from benchmarks.quality.images import Images, load_sets, split_dev
from benchmarks.quality.judging import Truth, judge, judge_heads, quick_accuracy
from benchmarks.quality.plan import Plan, Task, all_tasks
from benchmarks.quality.training import Run, precision
from contrawarp_edge.core.files import atomic_write_text
from lightly_contrawarp.evaluation.versions import versions
from lightly_contrawarp.models.checkpoint import CHECKPOINT_KEY, HEAD_KEY
from lightly_contrawarp.models.embedding.head import Moved, fit_head
from lightly_contrawarp.training.lightning import AtomicCheckpointIO

_FIRST_REST = 60.0  # seconds that a run takes beside its training, until one is known


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


def do_runs(
    plan: Plan, parts: list[str], jobs: int, total_minutes: float | None = None
) -> None:
    """Does every run of some parts that is not done yet.

    Args:
        plan: What they share.
        parts: Names of ``PARTS``.
        jobs: Runs at a time, each in a process of its own with one thread; 0 trains
            in this process, which is what a GPU wants, and judges beside it.
        total_minutes: No run begins that would not be done so many minutes from now;
            for plans with minutes only.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    end = None if total_minutes is None else time.monotonic() + 60 * total_minutes
    load_sets(plan.sources, plan.out.parent / "images", plan.scale)  # once, for all
    todo = [task for task in all_tasks(plan.scale) if task.part in parts]
    todo = [task for task in todo if not plan.result(task).exists()]
    if not plan.sources.landmarks.exists():
        todo = [task for task in todo if not task.variant.landmarks]
    done = _in_time(todo, plan, jobs, end)
    for task in tqdm(done, "runs", len(todo)):
        result = json.loads(plan.result(task).read_text())
        score = result["scores"]["embedding"]["linear"]
        tqdm.write(f"{task.name}: {score:.1%}, {result['epochs']:.1f} epochs, "
                   f"{result['seconds']:.0f} s")  # fmt: skip


def _in_time(
    todo: list[Task], plan: Plan, jobs: int, end: float | None
) -> Iterator[Task]:
    """Does runs, as many as end in time, and yields those that are done."""
    waiting: dict[Future[None], tuple[Task, float]] = {}
    rest, share = _FIRST_REST, 60 * (plan.minutes or 0)
    # Forked processes would inherit torch's threads in an unknown state.
    pool = ProcessPoolExecutor(
        jobs or max(1, (os.cpu_count() or 1) // 2),
        mp_context=get_context("spawn"),
        initializer=_begin_worker,
    )
    try:
        for task in todo:
            for one, begun in _finished(waiting, bool(jobs) and len(waiting) >= jobs):
                rest = max(rest, time.monotonic() - begun - share)
                yield one
            begun = time.monotonic()
            if end is not None and begun + share + rest > end:
                break
            if jobs:
                waiting[pool.submit(do_run, task, plan)] = task, begun
                continue
            trained = train_run(task, plan)
            if torch.cuda.is_available():  # the next one can train meanwhile
                waiting[pool.submit(finish_run, task, plan, trained)] = task, begun
                continue
            finish_run(task, plan, trained)
            rest = max(rest, time.monotonic() - begun - share)
            yield task
        while waiting:
            yield from (task for task, _ in _finished(waiting, True))
    finally:  # after an error or Ctrl-C, the runs that have not begun never do
        pool.shutdown(wait=False, cancel_futures=True)


def _begin_worker() -> None:
    """One thread; ends with the command, also if that is killed.

    Or the run would go on beside the one of the next command, in the same files.
    """
    torch.set_num_threads(1)
    command = parent_process()
    assert command is not None

    def follow() -> None:
        command.join()
        os._exit(1)

    Thread(target=follow, daemon=True).start()


def _finished(
    waiting: dict[Future[None], tuple[Task, float]], wait_for_one: bool
) -> list[tuple[Task, float]]:
    """Takes the runs that are done from ``waiting``."""
    timeout = None if wait_for_one else 0
    ready, _ = wait(waiting, timeout, return_when=FIRST_COMPLETED)
    for future in ready:
        future.result()
    return [waiting.pop(future) for future in ready]


def do_run(task: Task, plan: Plan) -> None:
    """Trains and judges one run, and writes its result."""
    finish_run(task, plan, train_run(task, plan))


def train_run(task: Task, plan: Plan) -> Trained:
    """Trains one run, or the rest of it, and encodes the images it is judged by."""
    scale, ablation = plan.scale, task.part == "ablation"
    sets = dict(_sets(plan, ablation))
    train, test = sets["train"], sets["test"]
    run = Run(
        task.variant,
        scale,
        task.seed,
        train,
        epochs=scale.ablation_epochs if ablation else scale.epochs,
        minutes=plan.minutes,
    )
    truth = {name: Truth.of(images) for name, images in sets.items()}
    size = scale.input_size

    def measure(backbone: torch.nn.Module) -> float:
        some = [encode(backbone, images, size).pooled for images in (train, test)]
        return quick_accuracy((some[0], some[1]), (truth["train"], truth["test"]))

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
def _sets(plan: Plan, ablation: bool) -> Mapping[str, Images]:
    """The sets of a run; nothing is chosen on what rows are compared by."""
    sets = load_sets(plan.sources, plan.out.parent / "images", plan.scale)
    validation = sets.pop("validation")
    if ablation:
        sets["train"], sets["test"] = split_dev(sets["train"])
        return {name: sets[name] for name in ("train", "test", "drawn_train", "drawn")}
    return {**sets, "test": validation}
