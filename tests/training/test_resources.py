"""What a machine lacks is said in words, and not needed where there are no workers."""

import errno
import multiprocessing.synchronize
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from contrawarp_edge.core.errors import InputError, NotFoundError
from helpers import one_line_error, run_pretrain
from lightly_contrawarp.data.folders import scan_images
from lightly_contrawarp.data.threads import map_in_threads
from lightly_contrawarp.evaluation.encoders.features import extract_features
from lightly_contrawarp.training.resources import check_workers, explained_resources


@pytest.fixture
def no_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where /dev/shm is read-only: no semaphore of processes can be made."""

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(multiprocessing.synchronize.SemLock, "__init__", refused)


@pytest.mark.usefixtures("no_shared_memory")
def test_training_without_workers_needs_no_shared_memory(
    face_folder: Path, tmp_path: Path
) -> None:
    (face_folder / "a" / "00.png").write_bytes(b"")
    scan = scan_images(face_folder)
    assert (len(scan.paths), len(scan.skipped)) == (23, 1)
    options = ("--backbone", "small")
    result = run_pretrain(face_folder, tmp_path / "run", *options)
    assert result.exit_code == 3, result.output
    result = run_pretrain(face_folder, tmp_path / "two", *options, "--workers", 2)
    one_line_error(result, "2 workers need shared memory, which this machine does not")
    assert "use --workers 0" in result.stderr
    assert not (tmp_path / "two").exists()


@pytest.mark.usefixtures("no_shared_memory")
def test_workers_of_an_evaluation_need_it_too() -> None:
    check_workers(0)
    dataset: Any = [(Image.new("RGB", (8, 8)), 0)]
    encoder: Any = None
    with pytest.raises(InputError, match=r"1 workers .* \(Read-only file system"):
        extract_features(encoder, dataset, workers=1)


def test_results_of_threads_come_in_order() -> None:
    assert list(map_in_threads(lambda x: x * x, range(500))) == [
        x * x for x in range(500)
    ]
    assert list(map_in_threads(abs, [])) == []

    def fails(item: int) -> int:
        if item == 300:
            raise InputError("the 300th")
        return item

    with pytest.raises(InputError, match="300th"):
        list(map_in_threads(fails, range(500)))


ADVICE = "take less"


def _raise(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), f"memory; {ADVICE}$"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "not enough mem"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus"), "worker"),
        (RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), "worker"),
    ],
)
def test_memory_and_dead_workers_in_words(error: Exception, message: str) -> None:
    with pytest.raises(InputError, match=message), explained_resources(ADVICE):
        _raise(error)()


def test_other_errors_stay_what_they_are() -> None:
    with (
        pytest.raises(RuntimeError, match="mat1 and mat2"),
        explained_resources(ADVICE),
    ):
        _raise(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))()


class _Vanished(Dataset[int]):
    def __getitem__(self, index: int) -> int:
        raise NotFoundError("a.png: No such file or directory")

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_worker_raises_is_one_line(workers: int) -> None:
    with (
        pytest.raises(InputError, match=r"^a\.png: No such file or directory$"),
        explained_resources("advice"),
    ):
        list(DataLoader(_Vanished(), num_workers=workers))
