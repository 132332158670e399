"""Timing things against each other, in rounds, so that a busy machine slows all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits

Times = dict[str, list[float]]
"""Seconds of each contender, one value a round."""

_SHORTEST = 0.004  # seconds of a sample; quicker calls are repeated


class Spread(NamedTuple):
    """Lower quartile, median and upper quartile."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The quartiles of at least one value."""
        low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
        return cls(float(low), float(median), float(high))


def race(
    contenders: Mapping[str, Callable[[], object]],
    *,
    seconds: float,
    rounds: int,
    device: str = "cpu",
) -> Times:
    """Times contenders in turn, each round in another order.

    Args:
        contenders: What to call, by name; each is called once before.
        seconds: Rounds go on for so long.
        rounds: Fewest rounds.
        device: ``"cuda"`` waits for the GPU before a clock is read.

    Returns:
        Seconds of one call, for each round.
    """

    def sample(call: Callable[[], object], repeats: int) -> float:
        _wait(device)
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        _wait(device)
        return (time.perf_counter() - start) / repeats

    names = list(contenders)
    repeats = {}
    for name, call in contenders.items():
        sample(call, 1)  # plans memory, compiles, fills caches
        repeats[name] = max(1, round(_SHORTEST / max(sample(call, 1), 1e-6)))
    times: Times = {name: [] for name in names}
    rng = np.random.default_rng(0)
    end = time.perf_counter() + seconds
    while len(times[names[0]]) < rounds or time.perf_counter() < end:
        for position in rng.permutation(len(names)):
            name = names[position]
            times[name].append(sample(contenders[name], repeats[name]))
    return times


def ratio(times: Times, name: str, other: str) -> Spread:
    """How many times as long as another a contender takes, over the rounds."""
    return Spread.of(np.divide(times[name], times[other]).tolist())


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Lets PyTorch and the linear algebra of NumPy use some threads only."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
