"""Indexes that are built by themselves, beside other work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from contrawarp_edge import Gallery, ModelInfo, Record
from contrawarp_edge.cli import main
from contrawarp_edge.gallery.ann import ann_index, background
from contrawarp_edge.gallery.ann.ann_index import read_facts
from contrawarp_edge.gallery.ann.background import IndexKeeper
from contrawarp_edge.gallery.ann.build import build
from contrawarp_edge.gallery.ann.lock import BusyError
from contrawarp_edge.gallery.ann.state import read_state

pytest.importorskip("faiss")
DIM = 8
ROWS = 3000
LARGE = "from contrawarp_edge import ann; ann.MIN_ROWS = 500; "
COMMAND = LARGE + "from contrawarp_edge.cli import main; main()"


def records(count: int, start: int = 0) -> Iterator[Record]:
    rng = np.random.default_rng(start)
    for number in range(start, start + count):
        yield Record(f"{number}.png", "", rng.normal(size=DIM))


@pytest.fixture
def path(tmp_path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ann_index, "MIN_ROWS", 500)
    path = tmp_path / "faces.gallery"
    with Gallery.create(path, info) as gallery:
        gallery.add(records(ROWS))
    return path


def wait_for(condition: Callable[[], object], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def beside(path: Path) -> list[str]:
    """Indexes beside a gallery, believed or not."""
    return sorted(file.name for file in path.parent.glob(f"{path.name}-index-*"))


def run_builder(path: Path) -> int:
    with background._start(path, subprocess.DEVNULL, is_attached=False) as process:
        return process.wait()


@contextmanager
def a_slow_builder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """The process that builds, while it writes the index and does not get on."""
    program = (
        "import faiss, sys, time\n"
        "from contrawarp_edge.gallery.ann.background import main\n"
        "def write(index, path):\n"
        "    open(path, 'wb').write(bytes(100))\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(600)\n"
        "faiss.write_index = write\n"
        "sys.exit(main(sys.argv[1], is_attached=False))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that was started to build."""
    processes = []
    start = background._start

    def kept(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        processes.append(start(*args, **options))
        return processes[-1]

    monkeypatch.setattr(background, "_start", kept)
    return processes


def test_when_an_index_is_needed(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, info: ModelInfo
) -> None:
    def is_needed() -> bool:
        return read_state(path).is_needed

    assert is_needed()
    with Gallery.open(path) as gallery:
        build(gallery)
        assert not is_needed()
        gallery.add(records(300, start=ROWS))
        state = read_state(path)
        assert (state.images, state.newer, state.is_needed) == (3300, 300, False)
        gallery.add(records(60, start=ROWS + 300))
        assert is_needed()
        build(gallery)
        assert not is_needed()
        gallery.delete(range(1, 601))
        assert is_needed()
        build(gallery)
        file = path.with_name(beside(path)[0])
        content = file.read_bytes()
        file.write_bytes(content[:-1])
        assert is_needed()
        file.write_bytes(bytes(len(content)))
        assert is_needed()
        file.write_bytes(content)
        assert not is_needed()
        gallery.delete(range(601, 3000))
        assert len(gallery) < ann_index.MIN_ROWS
        assert not is_needed()


def test_one_builder_at_a_time(path: Path) -> None:
    with a_slow_builder(path) as builder:
        (stray,) = beside(path)
        with (
            Gallery.open(path, readonly=True) as gallery,
            pytest.raises(BusyError, match="is being built"),
        ):
            build(gallery)
        result = CliRunner().invoke(main, ["index", str(path)])
        assert result.exit_code == 2
        assert result.stderr.splitlines() == [
            f"Error: {path}: its index is being built"
        ]
        assert run_builder(path) == 0  # no failure
        assert (beside(path), read_facts(path)) == ([stray], None)
        builder.send_signal(signal.SIGKILL)
        builder.wait()
    assert beside(path) == [stray]
    other = path.with_name("faces.gallery-index-of-mine")
    other.touch()
    assert run_builder(path) == 0
    facts = read_facts(path)
    assert facts is not None
    assert beside(path) == sorted([facts.file, other.name])
    assert not read_state(path).is_needed


def test_a_builder_that_is_told_to_end_tidies_up(path: Path) -> None:
    with a_slow_builder(path) as builder:
        assert beside(path)
        builder.send_signal(signal.SIGTERM)
        assert builder.wait(300) == 130
    assert (beside(path), read_facts(path)) == ([], None)


def test_searches_go_on_and_use_the_index(
    path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    query = np.ones(DIM)
    lines: list[str] = []
    with Gallery.open(path) as gallery, IndexKeeper(path, lines.append, seconds=0.1):
        wait_for(lambda: started)
        exact = gallery.search(query)
        assert gallery.last_recall is None
        assert started[0].poll() is None  # it is being built
        wait_for(lambda: gallery.search(query) and gallery.last_recall is not None)
        found = {hit.id: hit.score for hit in gallery.search(query)[0]}
        wanted = {hit.id: hit.score for hit in exact[0]}
        assert len(found.items() & wanted.items()) >= 8
        wait_for(lambda: lines)
        gallery.add(records(600, start=ROWS))
        gallery.search(query)
        assert gallery.last_recall is None
        wait_for(lambda: gallery.search(query) and gallery.last_recall is not None)
        wait_for(lambda: len(lines) == 2)
    facts = read_facts(path)
    assert facts is not None
    assert facts.rows == ROWS + 600
    assert len(started) == 2
    assert lines[1] == (
        f"{path}: an index was built, searches are approximate now and find "
        f"{facts.recall:.1%} of the 10 nearest"
    )


def test_a_keeper_that_ends_takes_its_builder_along(
    path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    lines: list[str] = []
    with IndexKeeper(path, lines.append):
        wait_for(lambda: started)
    (process,) = started
    if process.returncode == 0:
        pytest.skip("the builder was quicker than this test")
    assert process.returncode is not None
    assert (beside(path), read_facts(path), lines) == ([], None, [])
    with Gallery.open(path) as gallery:
        build(gallery)  # nobody holds the lock


def test_a_builder_that_does_not_end_is_killed(
    path: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "_END_SECONDS", 0.1)
    with IndexKeeper(path, print):
        wait_for(lambda: started)
        started[0].send_signal(signal.SIGSTOP)
    assert started[0].returncode == -signal.SIGKILL


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_builder_ends_with_a_killed_parent(path: Path) -> None:
    program = LARGE + (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from contrawarp_edge import ann_background\n"
        "start = ann_background._start\n"
        "def told(*args, **options):\n"
        "    process = start(*args, **options)\n"
        "    print(process.pid, flush=True)\n"
        "    return process\n"
        "ann_background._start = told\n"
        "with ann_background.IndexKeeper(Path(sys.argv[1]), print):\n"
        "    time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        builder = int(parent.stdout.readline())
        parent.kill()
    wait_for(lambda: not is_running(builder))
    assert read_facts(path) is None  # or else it would have gone on to the end


def is_running(number: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{number}/stat").read_text().split(") ")[1][0] != "Z"
    return False


def test_a_failure_is_one_line(
    path: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocked = path.with_name("faces.gallery-index.lock")
    blocked.mkdir()
    lines: list[str] = []
    with IndexKeeper(path, lines.append, seconds=0.01):
        wait_for(lambda: lines)
        time.sleep(0.5)
        assert len(started) == 1  # no tight loop
    monkeypatch.setattr(background, "_RETRY_SECONDS", 0.01)
    lines.clear()
    with IndexKeeper(path, lines.append):
        wait_for(lambda: len(started) >= 4)
        (line,) = lines  # said once
        assert line.startswith(f"{path}: its index could not be built: {blocked}: ")
        assert "\n" not in line
        blocked.rmdir()
        wait_for(lambda: len(lines) == 2)
        assert "an index was built" in lines[1]


def test_without_faiss(
    path: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    lines: list[str] = []
    monkeypatch.setattr(background, "_RETRY_SECONDS", 0.01)
    with IndexKeeper(path, lines.append, seconds=0.01):
        wait_for(lambda: lines)
        time.sleep(0.2)
    (line,) = lines
    assert "pip install 'contrawarp-edge[ann]'" in line
    assert not background.start_detached(path)
    monkeypatch.setattr(ann_index, "MIN_ROWS", ROWS + 1)
    lines.clear()
    with IndexKeeper(path, lines.append, seconds=0.01):
        time.sleep(0.2)
    assert not lines
    assert not started


def test_a_gallery_that_is_not_there(tmp_path: Path) -> None:
    lines: list[str] = []
    with IndexKeeper(tmp_path / "later", lines.append, seconds=0.01):
        time.sleep(0.1)
    bad = tmp_path / "bad"
    bad.write_bytes(b"bad")
    with IndexKeeper(bad, lines.append, seconds=0.01):
        time.sleep(0.1)
    assert not lines
    assert not background.start_detached(bad)


def run_large(*arguments: object) -> subprocess.Popen[str]:
    """The command, for which 500 images are many."""
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


@pytest.mark.slow
def test_embed_leaves_a_builder_behind(
    path: Path, model: Path, make_images: Callable[..., list[Path]]
) -> None:
    make_images(3)
    command = ["embed", model, path.parent / "faces", "--gallery", path]
    process = run_large(*command)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, "3 embedded" in out) == (0, True)
    assert err.count("an index for approximate search is built in the background") == 1
    wait_for(lambda: read_facts(path) is not None)
    assert len(beside(path)) == 1
    process = run_large(*command)
    assert "index" not in process.communicate(timeout=300)[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["watch", "serve"])
def test_services(
    name: str, path: Path, model: Path, make_images: Callable[..., list[Path]]
) -> None:
    if name == "serve":
        pytest.importorskip("fastapi")
    make_images(3)
    process = run_large(
        *(["watch", model, path.parent / "faces"] if name == "watch" else ["serve"]),
        *(["--gallery", path] if name == "watch" else [path, "--model", model]),
        *([] if name == "watch" else ["--port", "0"]),
    )
    try:
        wait_for(lambda: read_facts(path) is not None or process.poll() is not None)
        time.sleep(0.5)  # until the end of the builder is seen
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0
    assert err.count("an index was built, searches are approximate now") == 1
    left = [file.name for file in path.parent.glob("faces.gallery-*")]
    assert sorted(left) == sorted(
        ["faces.gallery-index.json", "faces.gallery-index.lock", *beside(path)]
    )
