"""Doing the runs that are not done yet, some at a time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context, parent_process
from threading import Thread

import torch
from tqdm import tqdm

from benchmarks.quality.plan import Plan, Task, all_tasks
from benchmarks.quality.tasks import do_run, seen, try_finish, try_train
from contrawarp_edge.core.errors import InputError

_FIRST_REST = 60.0  # seconds that a run takes beside its training, until one is known


def do_runs(plan: Plan, parts: list[str], total_minutes: float | None = None) -> None:
    """Does every run of some parts that is not done yet.

    Args:
        plan: What they share.
        parts: Names of ``PARTS``.
        total_minutes: No run begins that would not be done so many minutes from now;
            for plans with minutes only.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    end = None if total_minutes is None else time.monotonic() + 60 * total_minutes
    images = seen(plan)  # decoded here, once for all runs
    tasks = [task for task in all_tasks(plan.scale) if task.part in parts]
    todo = [task for task in tasks if not _is_done(task, plan, images)]
    if not plan.sources.landmarks.exists():
        todo = [task for task in todo if not task.variant.landmarks]
    for task in todo:
        plan.failure(task).unlink(missing_ok=True)
    # Beside a GPU too: the draws of views are small, and threads would wait for each
    # other in every one of them.
    torch.set_num_threads(1)
    done = _in_time(todo, plan, end)
    for task in tqdm(done, "runs", len(todo)):
        if (reason := plan.reason(task)) is not None:
            tqdm.write(f"{task.name}: {reason}")
            continue
        result = json.loads(plan.result(task).read_text())
        score = result["scores"]["embedding"]["linear"]
        tqdm.write(f"{task.name}: {score:.1%}, {result['epochs']:.1f} epochs, "
                   f"{result['seconds']:.0f} s")  # fmt: skip


def _is_done(task: Task, plan: Plan, images: Mapping[str, str]) -> bool:
    """Whether there is a result of a run, which has to be of the images given."""
    path = plan.result(task)
    if not path.exists():
        return False
    found = json.loads(path.read_text()).get("seen", {})
    if other := [name for name in images if found.get(name) != images[name]]:
        raise InputError(
            f"{path}: a result of other images than --{' and --'.join(other)}; delete "
            f"{plan.out}, or choose another --out"
        )
    return True


def _in_time(todo: list[Task], plan: Plan, end: float | None) -> Iterator[Task]:
    """Does runs, as many as end in time, and yields those that are done."""
    jobs = plan.jobs
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
            trained = try_train(task, plan)
            if trained is not None and torch.cuda.is_available():
                # The next one can train meanwhile.
                waiting[pool.submit(try_finish, task, plan, trained)] = task, begun
                continue
            if trained is not None:
                try_finish(task, plan, trained)
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
