"""``contrawarp-edge remove``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from contrawarp_edge import Gallery, ModelInfo, Record
from contrawarp_edge.cli import main

PATHS = ["a.png", "b.png", "c.png", "v.mp4#t=0.000", "v.mp4#t=0.500", "v.mp4.png"]


@pytest.fixture
def target(tmp_path: Path, info: ModelInfo) -> Path:
    path = tmp_path / "faces.gallery"
    vectors = np.random.default_rng(0).normal(size=(len(PATHS), 8))
    with Gallery.create(path, info) as gallery:
        gallery.add(
            Record(name, "", vector.astype(np.float32), {"who": name[0], "n": number})
            for number, (name, vector) in enumerate(zip(PATHS, vectors, strict=True))
        )
    return path


def remove(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["remove", *map(str, arguments)])


def paths_in(gallery: Path) -> list[str]:
    with Gallery.open(gallery, readonly=True) as opened:
        return sorted(path for _, path, _ in opened.iter_paths())


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        (["--id", 2], ["b.png"]),
        (["--id", 1, "--id", 3, "--id", 1], ["a.png", "c.png"]),
        (["--path", "a.png", "--path", "v.mp4#t=0.500"], ["a.png", "v.mp4#t=0.500"]),
        (["--path", "v.mp4"], ["v.mp4#t=0.000", "v.mp4#t=0.500"]),
        (["--where", "who=v"], ["v.mp4#t=0.000", "v.mp4#t=0.500", "v.mp4.png"]),
        (["--where", "who=v", "--where", "n>=5"], ["v.mp4.png"]),
        (["--id", 1, "--path", "b.png", "--where", "n=2"], ["a.png", "b.png", "c.png"]),
        (["--where", "who=z"], []),
    ],
)
def test_what_goes(target: Path, options: list[object], gone: list[str]) -> None:
    before = target.read_bytes()
    result = remove(target, *options, "--dry-run")
    assert result.exit_code == 0, result.stderr
    listed = [line.split("\t")[1] for line in result.stdout.splitlines()]
    assert sorted(listed) == gone
    assert f"{target}: {len(gone)} images would be removed" in result.stderr
    assert target.read_bytes() == before
    result = remove(target, *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{target}: {len(gone)} images removed\n"
    assert paths_in(target) == sorted(set(PATHS) - set(gone))
    for name in gone:
        if "#" in name or name == "v.mp4.png":
            continue
        assert name.encode() not in target.read_bytes()


def test_what_is_not_there_is_named(target: Path) -> None:
    result = remove(target, "--id", 1, "--id", 9, "--path", "no.png")
    assert result.exit_code == 3
    assert result.stdout == f"{target}: 1 images removed\n"
    assert result.stderr.splitlines() == [
        "has no image with id 9",
        "has no image with path no.png",
    ]
    assert remove(target, "--id", 1).exit_code == 3
    assert len(paths_in(target)) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "name images with --id, --path or --where"),
        (["--where", "who"], "not a condition"),
        (["--where", ""], "not a condition"),
    ],
)
def test_bad_input_removes_nothing(
    target: Path, options: list[str], message: str
) -> None:
    result = remove(target, *options)
    assert (result.exit_code, message in result.stderr) == (2, True)
    assert len(paths_in(target)) == len(PATHS)
    assert remove(target.with_name("no.gallery"), "--id", 1).exit_code == 2


def test_an_id_that_no_image_can_have(target: Path) -> None:
    result = remove(target, "--id", 10**20)
    assert (result.exit_code, "0 images removed" in result.stdout) == (3, True)
    assert result.stderr == f"has no image with id {10**20}\n"
