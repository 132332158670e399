"""All runs of a scale: which there are, what is done, and doing the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.facts import commit, hardware
from benchmarks.quality.images import (
    Images,
    draw_faces,
    draw_videos,
    load_faces,
    split_dev,
    video_neighbours,
)
from benchmarks.quality.judging import (
    judge,
    judge_drawn,
    judge_spatial,
    quick_accuracy,
    tells_warped,
)
from benchmarks.quality.scales import SCALES, Scale
from benchmarks.quality.training import Run
from benchmarks.quality.variants import (
    ABLATION,
    CONTROLS,
    DRAWN,
    MAIN,
    TRACKS,
    Variant,
)
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.inputs.images import FACES_CSV
from lightly_contrawarp.evaluation.compare import versions
from lightly_contrawarp.models.checkpoint import CHECKPOINT_KEY
from lightly_contrawarp.training.lightning import AtomicCheckpointIO

PARTS = ("main", "controls", "drawn", "tracks", "ablation")
_DRAWN = ("drawn", "tracks")
_TEST_SEED = 2001  # of drawn faces that nothing was chosen on


@dataclass(frozen=True)
class Task:
    """One run: a part of the benchmark, a variant of it and a seed."""

    part: str
    variant: Variant
    seed: int

    @property
    def name(self) -> str:
        """Identifier, used in file names."""
        return f"{self.part}-{self.variant.name}-{self.seed}"

    @property
    def needs_landmarks(self) -> bool:
        """Whether it cannot be done without landmarks of the training images.

        Those of drawn faces are known.
        """
        return self.variant.landmarks and self.part not in _DRAWN


def all_tasks(scale: Scale) -> list[Task]:
    """The runs of a scale, one seed after the other within each part."""
    parts = {
        "main": MAIN,
        "controls": CONTROLS,
        "drawn": DRAWN,
        "tracks": TRACKS,
        "ablation": ABLATION,
    }
    seeds = dict.fromkeys(PARTS, scale.seeds) | {"ablation": scale.ablation_seeds}
    return [
        Task(part, variant, seed)
        for part in PARTS
        for seed in range(seeds[part])
        for variant in parts[part]
    ]


def do_runs(scale: Scale, data: Path, out: Path, parts: list[str], jobs: int) -> None:
    """Does every run of some parts that is not done yet.

    Args:
        scale: Size of all runs.
        data: Holds ``train/`` and ``validation/``.
        out: Folder for results, checkpoints and states.
        parts: Entries of ``PARTS``.
        jobs: Runs at a time, each in a process of its own with one thread; 0 runs
            them in this process, which is what a GPU wants.
    """
    out.mkdir(parents=True, exist_ok=True)
    load_faces(data, out / "faces.npz", None)  # once, before the processes want it
    todo = [task for task in all_tasks(scale) if task.part in parts]
    todo = [task for task in todo if not (out / f"{task.name}.json").exists()]
    if not (data / "train" / FACES_CSV).exists():
        todo = [task for task in todo if not task.needs_landmarks]
    for task in tqdm(_each(todo, scale, data, out, jobs), "runs", len(todo)):
        result = json.loads((out / f"{task.name}.json").read_text())
        score = result["scores"].get("linear", result["scores"].get("emotion"))
        tqdm.write(f"{task.name}: {score:.1%}, {result['seconds']:.0f} s")


def _each(
    todo: list[Task], scale: Scale, data: Path, out: Path, jobs: int
) -> Iterator[Task]:
    if not jobs:
        for task in todo:
            yield do_run(task, scale.name, data, out)
        return
    # Forked processes would inherit torch's threads in an unknown state.
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads,
        initargs=(1,),
    ) as pool:  # fmt: skip
        waiting = [pool.submit(do_run, task, scale.name, data, out) for task in todo]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:  # after an error or Ctrl-C, the runs that have not begun never do
            pool.shutdown(wait=False, cancel_futures=True)


def do_run(task: Task, scale_name: str, data: Path, out: Path) -> Task:
    """Trains and judges one run, and writes its result."""
    scale = SCALES[scale_name]
    train, test = _images(task.part, scale, data, out)
    epochs = scale.ablation_epochs if task.part == "ablation" else scale.epochs
    if task.part in _DRAWN:
        epochs = scale.drawn_epochs
    state = out / f"{task.name}.state"
    seconds, near = task.variant.neighbours, None
    if seconds:
        near = video_neighbours(*_drawn(scale)[0], seconds)
    run = Run(task.variant, scale, task.seed, epochs, len(train.labels), near)
    train, test = train.to(run.device), test.to(run.device)
    size = scale.input_size
    run.train(
        train,
        state,
        measure=lambda encoder: quick_accuracy(encoder, train, test, size),
    )
    _save_checkpoint(run, out / f"{task.name}.ckpt")
    if task.part in _DRAWN:
        known, unseen = (draw_faces(*which)[1] for which in _drawn(scale))
        scores = judge_drawn(run.backbone, known, unseen, size, task.seed)
    else:
        scores = judge(run.backbone, train, test, size, task.seed)
        if task.part != "ablation":
            scores["tells_warped"] = tells_warped(run.backbone, train, test, size)
            if task.seed == 0:  # it takes long: one seed has to do
                scores["spatial"] = judge_spatial(run.backbone, train, test, size)
    result = {
        "part": task.part,
        "variant": task.variant.name,
        "seed": task.seed,
        "scale": asdict(scale),
        "settings": dict(run.learner.model.hparams),
        "images": len(train.labels),
        "steps": run.steps,
        "seconds": run.seconds,
        "curve": run.curve,
        "scores": scores,
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware(),
    }
    atomic_write_text(out / f"{task.name}.json", json.dumps(result, indent=2) + "\n")
    state.unlink(missing_ok=True)
    return task


@lru_cache(maxsize=1)
def _images(part: str, scale: Scale, data: Path, out: Path) -> tuple[Images, Images]:
    """Training and test images: defaults are chosen on a part of train only."""
    if part == "drawn":
        train, test = (draw_faces(*which)[0] for which in _drawn(scale))
        return train, test
    if part == "tracks":
        size, seed = _drawn(scale)[0]
        return draw_videos(size, seed), draw_faces(*_drawn(scale)[1])[0]
    train, validation = load_faces(data, out / "faces.npz", scale.limit)
    return split_dev(train) if part == "ablation" else (train, validation)


def _drawn(scale: Scale) -> tuple[tuple[int, int], tuple[int, int]]:
    return (scale.drawn_faces, 1), (scale.drawn_faces // 4, _TEST_SEED)


def _save_checkpoint(run: Run, path: Path) -> None:
    weights = {f"backbone.{k}": v for k, v in run.backbone.state_dict().items()}
    info = run.learner.model.info.to_dict()
    AtomicCheckpointIO().save_checkpoint(
        {CHECKPOINT_KEY: info, "state_dict": weights}, path
    )
