from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge import Gallery, InputError, ModelInfo, Record
from contrawarp_edge.core.drafts import (
    draft_of,
    remove_stale_draft,
    remove_stale_drafts,
)
from contrawarp_edge.core.errors import BusyError
from contrawarp_edge.core.files import atomic_write
from contrawarp_edge.gallery.embeddings import matrix

# Holds a draft until it is killed.
WRITER = """
import sys
from pathlib import Path
from contrawarp_edge.core.drafts import draft_of
with draft_of(Path(sys.argv[1]), is_folder=len(sys.argv) > 2) as draft:
    file = draft.path / "part" if len(sys.argv) > 2 else draft.path
    file.write_text("half")
    print("began", flush=True)
    input()
"""


@contextmanager
def being_written(target: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WRITER, str(target), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        yield process
        process.kill()


def test_what_a_kill_left_goes_and_what_is_written_stays(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with being_written(target):
        (draft,) = os.listdir(tmp_path)
        remove_stale_draft(target)
        remove_stale_drafts(tmp_path)
        assert os.listdir(tmp_path) == [draft]
        with pytest.raises(BusyError), draft_of(target, seconds=0):
            pass
        assert (tmp_path / draft).read_text() == "half"
    assert os.listdir(tmp_path) == [draft]
    atomic_write(target, b"whole")
    assert os.listdir(tmp_path) == ["a"]
    assert target.read_bytes() == b"whole"


@pytest.mark.parametrize("is_folder", [False, True])
def test_stale_drafts(tmp_path: Path, is_folder: bool) -> None:
    kind = ["folder"] if is_folder else []
    (tmp_path / "below").mkdir()
    for target in (tmp_path / "a", tmp_path / "below" / "b"):
        with being_written(target, *kind):
            pass
        assert len(os.listdir(target.parent)) >= 1
    remove_stale_draft(tmp_path / "a")
    assert os.listdir(tmp_path) == ["below"]
    remove_stale_drafts(tmp_path)
    assert os.listdir(tmp_path / "below") == []
    remove_stale_draft(tmp_path / "a")  # there is none
    remove_stale_draft(tmp_path / "none" / "a")


def test_folders(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with (
        being_written(target, "folder"),
        pytest.raises(BusyError),
        draft_of(target, is_folder=True, seconds=0),
    ):
        pass
    with draft_of(target, is_folder=True) as draft:
        assert os.listdir(draft.path) == []
        (draft.path / "file").write_text("x")
        draft.publish(target)
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(target) == ["file"]

    def fail() -> None:
        with draft_of(target, is_folder=True) as draft:
            (draft.path / "file").write_text("y")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert os.listdir(tmp_path) == ["a"]
    assert (target / "file").read_text() == "x"


def test_writers_of_one_file_take_turns(tmp_path: Path) -> None:
    """Nobody sees, publishes or removes the draft of another."""
    target = tmp_path / "a"
    contents = [bytes([number]) * 100_000 for number in range(4)]
    problems: list[Exception] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(10):
                atomic_write(target, content)
                if target.read_bytes() not in contents:
                    raise AssertionError("mixed")
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert os.listdir(tmp_path) == ["a"]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none/a: cannot be written: No such file"):
        atomic_write(tmp_path / "none" / "a", b"")
    with pytest.raises(FileNotFoundError), draft_of(tmp_path / "no" / "a"):
        pass
    with (
        pytest.raises(FileNotFoundError),
        draft_of(tmp_path / "no" / "a", is_folder=True),
    ):
        pass


# Dies as after kill -9 when all is written but the name.
KILLED = """
import os, sys
sys.path.insert(0, {tests!r})
from contrawarp_edge import Gallery
from contrawarp_edge.core.drafts import Draft
from contrawarp_edge.gallery.embeddings import matrix
Draft.publish = lambda self, target: os._exit(9)
matrix.MIN_SNAPSHOT_ROWS = 10
with Gallery.open(sys.argv[1], readonly=True) as gallery:
    gallery.search(gallery.get(1).embedding)
"""


def test_copies_of_embeddings(
    tmp_path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "faces.gallery"
    rng = np.random.default_rng(0)
    with Gallery.create(path, info) as gallery:
        gallery.add(
            Record(f"{i}.png", "0" * 64, rng.normal(size=8).astype(np.float32))
            for i in range(20)
        )

    def kill_a_search() -> None:
        code = KILLED.format(tests=str(Path(__file__).parents[1]))
        killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
        assert killed.returncode == 9

    monkeypatch.setattr(matrix, "MIN_SNAPSHOT_ROWS", 10)
    for _ in range(2):
        kill_a_search()
    drafts = [name for name in os.listdir(tmp_path) if name.startswith(".")]
    assert len(drafts) == 1
    with Gallery.open(path, readonly=True) as gallery:
        gallery.search(np.ones(8, np.float32))
    assert sorted(os.listdir(tmp_path)) == ["faces.gallery", "faces.gallery-vectors"]
    (tmp_path / "faces.gallery-vectors").unlink()
    kill_a_search()
    Gallery.open(path).close()  # whoever writes next might delete some of them
    assert os.listdir(tmp_path) == ["faces.gallery"]


def test_a_gallery_that_was_not_finished(
    tmp_path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "faces.gallery"
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from conftest import model_info\n"
        "from contrawarp_edge import Gallery\n"
        "from contrawarp_edge.core.sqlite import write_ahead\n"
        "write_ahead.stamp = lambda connection: os._exit(9)\n"
        "Gallery.create(sys.argv[2], model_info())\n"
    )
    tests = str(Path(__file__).parents[1])
    killed = subprocess.run([sys.executable, "-c", code, tests, str(path)], check=False)
    assert killed.returncode == 9
    assert os.listdir(tmp_path)
    Gallery.create(path, info).close()
    assert os.listdir(tmp_path) == ["faces.gallery"]
