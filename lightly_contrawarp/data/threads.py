"""Reading many small files at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_CHUNK = 64


def map_in_threads(
    function: Callable[[_Item], _Result], items: Sequence[_Item]
) -> Iterator[_Result]:
    """Applies a function in threads; results come in the order of the items.

    ``multiprocessing.pool.ThreadPool`` would need shared memory, which not every
    machine has.
    """

    def of_chunk(chunk: Sequence[_Item]) -> list[_Result]:
        return [function(item) for item in chunk]

    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    pool = ThreadPoolExecutor()
    try:
        for results in pool.map(of_chunk, chunks):
            yield from results
    finally:
        pool.shutdown(cancel_futures=True)
