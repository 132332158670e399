"""Threads that have a gallery open each, since a gallery belongs to one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from contrawarp_edge.gallery.gallery import Gallery

T = TypeVar("T")


@dataclass(frozen=True)
class _Worker:
    thread: ThreadPoolExecutor
    gallery: Gallery


class GalleryPool:
    """Runs blocking work beside the event loop.

    Args:
        path: The gallery.
        threads: Number of threads.
        readonly: Whether the gallery is only read.
    """

    def __init__(self, path: Path, threads: int, *, readonly: bool) -> None:
        self._path = path
        self._threads = threads
        self._readonly = readonly
        self._workers: list[_Worker] = []
        self._free: asyncio.Queue[_Worker] = asyncio.Queue()

    def open(self) -> None:
        """Starts the threads and opens the gallery in each.

        Raises:
            InputError: If the gallery cannot be opened.
        """
        for _ in range(self._threads):
            thread = ThreadPoolExecutor(1, thread_name_prefix="gallery")
            opened = thread.submit(Gallery.open, self._path, readonly=self._readonly)
            self._workers.append(_Worker(thread, opened.result()))
            self._free.put_nowait(self._workers[-1])

    async def run(self, work: Callable[[Gallery], T]) -> T:
        """Does work in the first thread that is free, and waits for it.

        A caller that stops waiting leaves the work to end by itself; its thread is
        free again only then.
        """
        worker = await self._free.get()
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(worker.thread, work, worker.gallery)

        def release(ended: asyncio.Future[Any]) -> None:
            self._free.put_nowait(worker)
            if not ended.cancelled():
                ended.exception()  # seen, even if nobody waits for it any more

        running.add_done_callback(release)
        return await asyncio.shield(running)

    def close(self) -> None:
        """Waits for the work that goes on, and closes the gallery in each thread."""
        for worker in self._workers:
            worker.thread.submit(worker.gallery.close).result()
            worker.thread.shutdown()
