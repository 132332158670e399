"""Only what is known to be gone goes."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from dropped import without_privilege

from contrawarp_edge import Gallery, InputError, ModelInfo, Record
from contrawarp_edge.cli import main
from contrawarp_edge.ingest.prune import Pruned, prune

FILES = ["p/a/1", "p/a/2", "p/b/1", "p/b/2", "disk/1", "disk/2"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


@pytest.fixture
def root(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with all of ``FILES``."""
    for name in FILES:
        (open_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (open_folder / name).touch()
    monkeypatch.chdir(open_folder)
    return open_folder


@pytest.fixture
def gallery(root: Path, info: ModelInfo) -> Iterator[Gallery]:
    with Gallery.create(root / "a.gallery", info) as made:
        made.add([Record(name, "", np.ones(info.dim, np.float32)) for name in FILES])
        yield made


def names(gallery: Gallery) -> list[str]:
    return sorted(path for _, path, _ in gallery.iter_paths())


def unsure(result: Pruned) -> dict[str, tuple[int, str]]:
    return {folder: (count, why) for (folder, why), count in result.unsure.items()}


def test_single_files(gallery: Gallery, root: Path) -> None:
    (root / "p/a/1").unlink()
    (root / "p/b/1").unlink()
    assert prune(gallery, dry_run=True).gone == ["p/a/1", "p/b/1"]
    assert prune(gallery, [Path("p/a")]) == Pruned(1, ["p/a/1"])
    assert prune(gallery) == Pruned(4, ["p/b/1"])
    assert names(gallery) == ["disk/1", "disk/2", "p/a/2", "p/b/2"]


@pytest.mark.parametrize("state", ["missing", "empty"])
def test_a_disk_that_is_away(gallery: Gallery, root: Path, state: str) -> None:
    shutil.rmtree(root / "disk")
    if state == "empty":
        (root / "disk").mkdir()
    result = prune(gallery)
    assert (result.kept, result.gone) == (4, [])
    assert unsure(result) == {"disk": (2, f"the folder is {state}")}
    assert result.doubts() == [f"kept 2 of disk: the folder is {state}"]
    with pytest.raises(InputError, match="none of its 2 files is there"):
        prune(gallery, [Path("disk")])
    assert not prune(gallery, [Path("disk")], even_all=True).gone
    assert names(gallery) == sorted(FILES)
    assert prune(gallery, force=True).gone == ["disk/1", "disk/2"]


@pytest.mark.parametrize("folder", ["p", "p/", "../{name}/p", "{root}/p", "."])
def test_folders_below_one_that_is_there(
    gallery: Gallery, root: Path, folder: str
) -> None:
    shutil.rmtree(root / "p/a")
    result = prune(gallery)
    assert unsure(result) == {"p/a": (2, "the folder is missing")}
    named = Path(folder.format(root=root, name=root.name))
    result = prune(gallery, [named])
    assert (result.gone, result.unsure) == (["p/a/1", "p/a/2"], {})


def test_what_is_left_of_a_way_to_a_disk(gallery: Gallery, root: Path) -> None:
    shutil.rmtree(root / "p/a")
    shutil.rmtree(root / "p/b")
    result = prune(gallery, [root / "p", Path("disk")])
    assert result.gone == []
    assert {why for _, why in unsure(result).values()} == {"the folder is missing"}


def test_a_file_in_place_of_a_folder(gallery: Gallery, root: Path) -> None:
    shutil.rmtree(root / "p/a")
    (root / "p/a").touch()
    assert prune(gallery).gone == ["p/a/1", "p/a/2"]


def test_the_current_folder_is_what_lies_below_it(
    gallery: Gallery, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "p/a/1").unlink()
    shutil.rmtree(root / "disk")
    monkeypatch.chdir(root / "p")
    expected = Pruned(3, ["a/1"])
    for folder in (Path("."), Path(""), root / "p", Path("b/..")):
        assert prune(gallery, [folder], dry_run=True) == expected
    monkeypatch.chdir(root / "p/b")
    assert prune(gallery, [Path(".")]) == Pruned(2)
    assert prune(gallery, [Path(".."), Path(".")]).gone == [str(root / "p/a/1")]
    assert len(names(gallery)) == 5


def test_no_permission(gallery: Gallery, root: Path) -> None:
    (root / "p/a/1").unlink()
    (root / "p/b").chmod(0)
    (root / "disk").chmod(0o100)  # may be entered, not listed
    (root / "disk/1").unlink()
    try:
        with without_privilege(root):
            result = prune(gallery, force=False)
            again = prune(gallery, force=True)
    finally:
        for folder in ("p/b", "disk"):
            (root / folder).chmod(0o755)
    assert (result.kept, result.gone) == (2, ["p/a/1"])
    assert unsure(result) == {
        "p/b": (2, "Permission denied"),
        "disk": (1, "Permission denied"),
    }
    assert (again.gone, list(unsure(again))) == (["disk/1"], ["p/b"])


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_errors_of_disks(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    lstat = os.lstat

    def failing(path: str) -> os.stat_result:
        if str(path).startswith("disk"):
            raise OSError(code, os.strerror(code), path)
        return lstat(path)

    monkeypatch.setattr(os, "lstat", failing)
    result = prune(gallery, force=True)
    assert (result.kept, result.gone) == (4, [])
    assert unsure(result) == {"disk": (2, os.strerror(code))}


def test_what_the_command_says(gallery: Gallery, root: Path) -> None:
    (root / "p/a/1").unlink()
    shutil.rmtree(root / "disk")
    doubt = "kept 2 of disk: the folder is missing\n"
    result = run("prune", "a.gallery", "--dry-run")
    assert (result.exit_code, result.stdout) == (3, "p/a/1\n")
    assert result.stderr == doubt + "a.gallery: 5 kept, 1 would go\n"
    result = run("prune", "a.gallery")
    assert (result.exit_code, result.stderr) == (3, doubt)
    assert result.stdout == "a.gallery: 5 kept, 1 gone\n"
    result = run("prune", "a.gallery", "--force")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "a.gallery: 3 kept, 2 gone\n"


def test_what_lies_below_the_current_folder(
    open_folder: Path,
    model: Path,
    make_images: Callable[..., list[Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_images(3, folder=str(open_folder / "here"))
    make_images(2, folder=str(open_folder / "disk"))
    monkeypatch.chdir(open_folder / "here")
    embed = run("embed", model, ".", "../disk", "--gallery", "../a.gallery")
    assert embed.exit_code == 0
    shutil.rmtree(open_folder / "disk")
    Path("0001.png").unlink()
    result = run("prune", "../a.gallery", ".")
    assert result.exit_code == 0
    assert result.stdout == "../a.gallery: 2 kept, 1 gone\n"
    with Gallery.open("../a.gallery", readonly=True) as opened:
        assert len(opened) == 4
