"""Memory and worker processes that a machine does not have, said in words."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from contrawarp_edge.core.errors import InputError

_WORKER = "DataLoader worker"
_CAUGHT = "Caught "  # PyTorch puts the traceback of a worker into the message
_NO_MEMORY = ("can't allocate memory", "not enough memory")  # PyTorch's, on a CPU


def check_workers(count: int) -> None:
    """Checks that worker processes can be had; they exchange data in shared memory.

    Args:
        count: How many are wanted.

    Raises:
        InputError: If any is, and the machine has no shared memory.
    """
    if not count:
        return
    try:
        multiprocessing.get_context().Lock()
    except OSError as error:
        raise InputError(
            f"{count} workers need shared memory, which this machine does not give "
            f"({error.strerror}; is /dev/shm read-only?); use --workers 0"
        ) from error


@contextmanager
def explained_resources(advice: str) -> Iterator[None]:
    """Turns errors about memory, and those of workers, into one line.

    Args:
        advice: What the user can do about memory.

    Raises:
        InputError: Says what to change.
    """
    try:
        yield
    except InputError as error:
        if not str(error).startswith(_CAUGHT):
            raise
        _, _, said = str(error).splitlines()[-1].partition(": ")
        raise InputError(said) from error
    except MemoryError as error:  # NumPy's
        raise InputError(f"there is not enough memory; {advice}") from error
    except RuntimeError as error:
        text = str(error)
        if isinstance(error, torch.OutOfMemoryError) or any(
            words in text for words in _NO_MEMORY
        ):
            raise InputError(f"there is not enough memory; {advice}") from error
        if text.startswith(_WORKER):
            raise InputError(
                "a worker process died, for lack of memory as a rule (in a container "
                "often of /dev/shm); use fewer --workers, or 0"
            ) from error
        raise
