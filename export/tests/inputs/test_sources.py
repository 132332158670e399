from __future__ import annotations

import errno
import io
import math
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from obstacles import forbid_listing

from contrawarp_edge import InputError
from contrawarp_edge.core.regular_files import problem_of
from contrawarp_edge.ingest.metadata_file import MetadataFile
from contrawarp_edge.inputs.sources import Sources


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


def test_folders_that_cannot_be_listed(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_listing(tree / "a" / "b", monkeypatch)
    assert names("a") == ["a/1.png", "a/2.JPG", "a/b"]
    assert names("a/b", "c") == ["a/b", "c/5.png"]
    assert names("a/**/*.png") == ["a/b", "a/1.png"]
    assert names("a/*/*.png") == ["a/b"]
    assert names("a/b/*") == ["a/b"]
    assert sorted(names("a/**")) == ["a/1.png", "a/2.JPG", "a/b"]
    assert names("c/*", "a/*.png") == ["c/5.png", "a/1.png"]
    listed = tree / "list"
    listed.write_text("a/b\nc\n")
    assert names(lists=[listed]) == ["a/b", "c/5.png"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_lists_in_utf_16(tree: Path, encoding: str) -> None:
    listed = tree / "list"
    listed.write_bytes("a/1.png\nc/5.png\n".encode(encoding))
    found = list(Sources(lists=[listed]))
    assert found
    assert all("--null" in str(problem_of(path)) for path in found)
    assert all("UTF-16" in str(problem_of(path)) for path in found)


def test_impossible_names_in_lists(tree: Path) -> None:
    long = "x" * 300 + ".png"
    listed = tree / "list"
    listed.write_bytes(f"a/1.png\nc/\0.png\n{long}\nc/5.png\n".encode())
    assert names(lists=[listed]) == ["a/1.png", "c/\0", long, "c/5.png"]
    assert problem_of(long) == "File name too long"
    # As of `find -print0`: one name without an end, of which little is kept.
    listed.write_bytes(b"some/name.png\0" * 100_000)
    (only,) = Sources(lists=[listed])
    assert str(only) == "some/name.png\0"
    listed.write_bytes(b"x" * 1_000_000 + b"\na/1.png")
    *long_ones, last = Sources(lists=[listed])
    assert last == Path("a/1.png")
    assert sum(len(str(path)) for path in long_ones) < 200_000


def test_a_pipe_may_be_a_list(tree: Path) -> None:
    os.mkfifo("names")
    sources = Sources(lists=[Path("names")])
    assert sources.count() is None
    writer = threading.Thread(target=Path("names").write_text, args=["c\na/1.png\n"])
    writer.start()
    assert [path.as_posix() for path in sources] == ["c/5.png", "a/1.png"]
    writer.join()


@pytest.mark.parametrize(
    ("listed", "message"),
    [("/dev/zero", "not a regular file"), ("a", "Is a directory")],
)
def test_a_list_is_no_device_or_folder(tree: Path, listed: str, message: str) -> None:
    with pytest.raises(InputError, match=f"{listed}: {message}"):
        Sources(lists=[Path(listed)])


def test_others_are_counted_once(tree: Path) -> None:
    for name in ("a/IMG.CR2", "a/b/LICENSE", "c/x.jxl", "a/.hidden/y.jxl"):
        (tree / name).touch()
    kinds = {".cr2": 1, ".txt": 1, "file without extension": 1}
    sources = Sources([Path("a"), Path("a/b")])
    for _ in range(2):
        assert len(list(sources)) == 3
        assert sources.others == kinds
    next(iter(sources))
    assert sources.others == kinds  # of a look that was not ended nothing is known
    for pattern in ("**/*", "?"):
        sources = Sources([Path(pattern)])
        list(sources)
        assert sources.others == {**kinds, ".jxl": 1, "video": 1}
    sources = Sources([Path("c")], every=1.0)
    list(sources)
    assert sources.others == {".jxl": 1}


def test_what_align_writes_is_not_counted(tmp_path: Path) -> None:
    for name in ("faces.csv", "skipped.tsv", "contact.png", "a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    sources = Sources([tmp_path])
    assert [path.name for path in sources] == ["a.jpg"]
    assert sources.others == {".txt": 1}


def test_lists_and_metadata_need_no_temporary_files(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may have no place for them."""

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    for place in ("sqlite3.connect", "tempfile.TemporaryFile", "tempfile.mkstemp"):
        monkeypatch.setattr(place, refuse)
    (tree / "list").write_text("a/1.png\nc\n")
    assert names(lists=[Path("list")]) == ["a/1.png", "c/5.png"]
    (tree / "facts.csv").write_text("path,age\na/1.png,3\n")
    assert MetadataFile(Path("facts.csv"))(Path("a/1.png")) == {"age": 3}


@pytest.mark.parametrize("every", [0.0, -1.0, math.inf, math.nan])
def test_times_between_frames(tmp_path: Path, every: float) -> None:
    with pytest.raises(InputError, match="not a time above 0 seconds"):
        Sources([tmp_path], every=every)
