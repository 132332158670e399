from __future__ import annotations

import io
import os
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pytest

from contrawarp_edge import InputError
from contrawarp_edge.inputs.sources import Sources, unique


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        *("a/1.png", "a/2.JPG", "a/b/3.png", "a/b/notes.txt", "a/.hidden/4.png"),
        *("c/5.png", "c/clip.mp4", "odd [1].png"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*paths: str, **settings: object) -> list[str]:
    sources = Sources([Path(path) for path in paths], **settings)  # type: ignore[arg-type]
    found = [path.as_posix() for path in sources]
    assert sources.count() == len(found)
    assert list(sources) == [Path(name) for name in found]
    return found


def test_folders_and_files(tree: Path) -> None:
    assert names("a") == ["a/1.png", "a/2.JPG", "a/b/3.png"]
    assert names("c", "a/b/3.png", "a") == [
        "c/5.png",
        "a/b/3.png",
        "a/1.png",
        "a/2.JPG",
    ]
    assert names("a/b/notes.txt") == ["a/b/notes.txt"]  # named: it is not passed over
    assert names(str(tree / "c")) == [(tree / "c" / "5.png").as_posix()]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a/*.png", ["a/1.png"]),
        ("a/*", ["a/1.png", "a/2.JPG", "a/b/3.png"]),
        ("a/**/*.png", ["a/1.png", "a/b/3.png"]),
        ("**/[35].png", ["a/b/3.png", "c/5.png"]),
        ("?", ["a/1.png", "a/2.JPG", "a/b/3.png", "c/5.png"]),
        ("none*", []),
        ("odd [1].png", ["odd [1].png"]),  # a file of that name goes first
    ],
)
def test_patterns(tree: Path, pattern: str, expected: list[str]) -> None:
    assert sorted(names(pattern)) == expected


def test_videos_if_wanted(tree: Path) -> None:
    assert names("c", every=1.0) == ["c/5.png", "c/clip.mp4"]
    assert "c/clip.mp4" in names("**/*", every=1.0)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
@pytest.mark.parametrize("last", [True, False])
def test_lists(tree: Path, end: bytes, last: bool) -> None:
    lines = [b"a/1.png", b"", b"missing.png", b"c", b"a/1.png", b" x.png"]
    listed = tree / "list"
    listed.write_bytes(end.join(lines) + end * last)
    found = names(lists=[listed], null=end == b"\0")
    assert found == ["a/1.png", "missing.png", "c/5.png", " x.png"]


def test_long_lists_and_strange_names(tree: Path) -> None:
    wanted = [f"{n:05}-{'x' * 90}.png" for n in range(3000)]
    listed = tree / "list"
    listed.write_text("\ufeff" + "\n".join(wanted), encoding="utf-8")
    assert names(lists=[listed]) == wanted
    listed.write_bytes(b"new\nline.png\0\xff.png")
    assert names(lists=[listed], null=True) == [
        "new\nline.png",
        os.fsdecode(b"\xff.png"),
    ]


def test_standard_input(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(b"a/1.png\nc/5.png\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    sources = Sources(lists=[Path("-")])
    assert sources.count() is None
    assert [path.name for path in sources] == ["1.png", "5.png"]


def test_errors(tree: Path) -> None:
    for settings, message in [
        ({}, "name images"),
        ({"paths": [Path("none")]}, "none: no such file"),
        ({"lists": [Path("none")]}, "none: no such file"),
        ({"paths": [Path("a")], "every": 0.0}, "above 0"),
        ({"paths": [Path("a")], "every": float("nan")}, "above 0"),
    ]:
        with pytest.raises(InputError, match=message):
            Sources(**settings)  # type: ignore[arg-type]


def test_links_that_lead_in_a_circle(tree: Path) -> None:
    (tree / "a" / "b" / "up").symlink_to(tree / "a")
    assert names("a") == ["a/1.png", "a/2.JPG", "a/b/3.png"]


def test_unique_needs_little_memory() -> None:
    names = (f"{n % 40_000}" for n in range(80_000))  # pathlib remembers parts of paths
    tracemalloc.start()
    assert sum(1 for _ in unique(names)) == 40_000  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
