from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import run
from PIL import Image

CLASSES = ["angry", "happy", "neutral"]
MakeImages = Callable[..., list[Path]]


def test_all_forms_say_the_same(
    recogniser: Path,
    tmp_path: Path,
    make_images: MakeImages,
    reference_scores: Callable[..., np.ndarray],
) -> None:
    paths = make_images(5)
    table, page = tmp_path / "all.csv", tmp_path / "all.html"
    forms = ("--json", "--csv", table, "--html", page)
    result = run("recognise", recogniser, tmp_path / "faces", *forms)
    assert result.exit_code == 0, result.output
    faces = json.loads(result.stdout)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [face["path"] for face in faces] == [str(path) for path in paths]
    for face, row in zip(faces, rows, strict=True):
        expected = reference_scores(np.asarray(Image.open(face["path"])), 3)
        assert list(face["scores"]) == CLASSES
        np.testing.assert_allclose(list(face["scores"].values()), expected, atol=1e-5)
        assert face["expression"] == row["expression"] == CLASSES[expected.argmax()]
        assert face["probability"] == pytest.approx(expected.max(), abs=1e-5)
        cells = [float(row[f"scores.{name}"]) for name in CLASSES]
        np.testing.assert_allclose(cells, expected, atol=1e-5)
    text = page.read_text()
    assert text.count("data:image/jpeg") == 5
    assert text.count("<dt") == 15
    head, first, *_ = run("recognise", recogniser, *paths).stdout.splitlines()
    assert head.split() == ["expression", "next", "best", "path"]
    assert first.split()[0] == faces[0]["expression"]
    assert first.endswith(str(paths[0]))


def test_sorted_by_a_class(recogniser: Path, make_images: MakeImages) -> None:
    paths = make_images(6)
    result = run("recognise", recogniser, *paths, "--sort", "happy", "--json")
    scores = [face["scores"]["happy"] for face in json.loads(result.stdout)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]
    lines = run("recognise", recogniser, *paths, "--top", 3).stdout.splitlines()
    assert all(len(line.split()) == 7 for line in lines[1:])


def test_names_with_control_characters_keep_to_their_lines(
    make_model: Callable[..., Path], tmp_path: Path, make_images: MakeImages
) -> None:
    model, paths = make_model(classes=["a\nb", "\x1b[31mred"]), make_images(3)
    gallery = tmp_path / "a.gallery"
    assert run("embed", model, *paths, "--gallery", gallery).exit_code == 0
    for words, rows in [
        (("recognise", model, *paths), 3),
        (("list", gallery), 3),
        (("search", gallery, "--id", 1), 2),
    ]:
        text = run(*words).stdout
        assert len(text.splitlines()) == 1 + rows
        assert "\x1b" not in text


def test_bad_files_are_skipped(recogniser: Path, make_images: MakeImages) -> None:
    paths = make_images(3)
    paths[1].write_bytes(b"broken")
    result = run("recognise", recogniser, *paths)
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 3
    assert f"skipped {paths[1]}: not an image" in result.stderr
    result = run("recognise", recogniser, paths[1])
    assert result.exit_code == 2
    assert "none of the 1 images could be used" in result.stderr


@pytest.mark.parametrize("sort", [[], ["--sort", "happy"]])
def test_a_model_without_classes(model: Path, tmp_path: Path, sort: list[str]) -> None:
    result = run("recognise", model, tmp_path, *sort)
    assert result.exit_code == 2
    error = f"Error: {model}: has no classes to recognise; export it with --labels\n"
    assert result.stderr == error


def test_an_unknown_class(recogniser: Path, tmp_path: Path) -> None:
    result = run("recognise", recogniser, tmp_path, "--sort", "bored")
    assert result.exit_code == 2
    assert "bored: no class of the model, which has angry, happy" in result.stderr
