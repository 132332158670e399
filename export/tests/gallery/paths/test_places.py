"""Paths as users name them and as galleries store them."""

from __future__ import annotations

import ntpath
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from contrawarp_edge.gallery.paths import places
from contrawarp_edge.gallery.paths.places import (
    Places,
    absolute,
    gallery_folder,
    shown,
)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which no link leads to."""
    folder = tmp_path.resolve() / "there"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("a.jpg", "a.jpg"),
        ("./p//a.jpg", "p/a.jpg"),
        ("../other/a.jpg", "../other/a.jpg"),
        ("p/../../a.jpg", "../a.jpg"),
        ("{here}/p/a.jpg", "p/a.jpg"),
        ("/elsewhere/a.jpg", "/elsewhere/a.jpg"),
        ("a\nb\\c 'é'.jpg", "a\nb\\c 'é'.jpg"),
        ("-a.jpg", "-a.jpg"),
        ("p/clip.mp4#t=1.500", "p/clip.mp4#t=1.500"),
        (".", "."),
        ("..", ".."),
        ("/", "/"),
    ],
)
def test_there_and_back(there: Path, name: str, stored: str) -> None:
    places = Places.settled(str(there))
    full = name.format(here=there)
    assert places.stored(full) == places.stored(Path(full)) == stored
    assert places.absolute(stored) == os.path.normpath(there / full)
    assert places.stored(places.shown(stored)) == stored
    assert list(places.stored_forms(full)) == [stored]


@pytest.mark.parametrize(
    ("folder", "path", "stored"),
    [
        (r"C:\g", r"C:\g\p\a.jpg", "p/a.jpg"),
        (r"C:\g", r"c:\G\p\a.jpg", "p/a.jpg"),
        (r"C:\x\g", r"C:\x\p\a.jpg", "../p/a.jpg"),
        (r"C:\g", r"C:\p\a.jpg", "C:/p/a.jpg"),
        (r"C:\g", r"D:\p\a.jpg", "D:/p/a.jpg"),
        (r"C:\g", r"\\server\share\a.jpg", "//server/share/a.jpg"),
        ("C:\\", r"C:\a.jpg", "a.jpg"),
    ],
)
def test_windows(
    monkeypatch: pytest.MonkeyPatch, folder: str, path: str, stored: str
) -> None:
    windows = SimpleNamespace(path=ntpath, sep="\\", curdir=".", pardir="..")
    windows.fspath = os.fspath
    monkeypatch.setattr(places, "os", windows)
    settled = Places.settled(folder)
    assert settled.stored(path) == stored
    assert settled.absolute(stored).lower() == path.lower()


def test_what_is_shown_opens_from_here(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(str(there / "p" / "a.jpg")) == "p/a.jpg"
    assert shown(f"{there}-2/a.jpg") == f"{there}-2/a.jpg"
    assert shown(str(there)) == str(there)
    monkeypatch.chdir("/")
    assert shown("/p/a.jpg") == "p/a.jpg"


def test_the_parent_of_a_link(there: Path) -> None:
    """``link/..`` is not the folder in which the link is."""
    far = there / "far" / "deep"
    far.mkdir(parents=True)
    (there / "link").symlink_to(far)
    assert absolute("link/../a.jpg") == str(there / "far" / "a.jpg")
    assert absolute("link/a.jpg") == str(there / "link" / "a.jpg")
    assert absolute("far/deep/../a.jpg") == str(there / "far" / "a.jpg")
    assert absolute("link/..") == str(there / "far")


def test_one_folder_by_two_names(there: Path) -> None:
    """Such as /tmp and /private/tmp."""
    (there / "data" / "faces").mkdir(parents=True)
    (there / "link").symlink_to("data")
    for folder in ("data", "link"):
        places = Places.settled(str(there / folder))
        for name in ("data/faces/a.jpg", "link/faces/a.jpg"):
            assert places.stored(name) == "faces/a.jpg"


def test_a_link_to_a_gallery(there: Path) -> None:
    (there / "data").mkdir()
    (there / "data" / "a.gallery").touch()
    (there / "one.gallery").symlink_to("data/a.gallery")
    (there / "two.gallery").symlink_to(there / "one.gallery")
    assert gallery_folder(Path("two.gallery")) == str(there / "data")
    (there / "loop.gallery").symlink_to("loop.gallery")
    assert gallery_folder(Path("loop.gallery")) == str(there)


@pytest.mark.parametrize(
    ("folder", "prefix"),
    [("p", "p/"), (".", ""), ("..", ""), ("/", ""), ("/far", "/far/"), ("..p", "")],
)
def test_prefix(there: Path, folder: str, prefix: str) -> None:
    assert Places.settled(str(there)).prefix(folder) == prefix
