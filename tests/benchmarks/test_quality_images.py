"""The images of the quality benchmark: decoded once, unless something changed."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.quality import images as module
from benchmarks.quality.images import Images, fingerprints, load_sets, split_dev
from contrawarp_edge.core.errors import InputError
from helpers import write
from helpers_quality import TINY, folders
from lightly_contrawarp.data.faces_csv import csv_header


def test_split_dev_is_fixed_and_disjoint() -> None:
    data = Images(torch.arange(50).view(50, 1, 1, 1), torch.arange(50), ())
    train, dev = split_dev(data)
    assert (len(train.labels), len(dev.labels)) == (40, 10)
    assert sorted(torch.cat([train.labels, dev.labels]).tolist()) == list(range(50))
    assert torch.equal(split_dev(data)[1].labels, dev.labels)
    assert data.spread(5).labels.tolist() == [0, 12, 24, 36, 49]


def grey(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (48, 48), value).save(path)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the folders that were decoded, and numbers of faces that were drawn."""
    found: list[str] = []
    pixels, draw = module._pixels, module.draw_faces

    def note(dataset, side):  # type: ignore[no-untyped-def]
        found.append(dataset.root.name)
        return pixels(dataset, side)

    def draw_noted(count, seed):  # type: ignore[no-untyped-def]
        found.append(f"{count} drawn")
        return draw(count, seed)

    monkeypatch.setattr(module, "_pixels", note)
    monkeypatch.setattr(module, "draw_faces", draw_noted)
    return found


def test_images_are_decoded_once(tmp_path: Path, decoded: list[str]) -> None:
    sources, kept = folders(tmp_path / "data"), tmp_path / "kept"
    sets = load_sets(sources, kept, TINY)
    assert sets["train"].pixels.shape == (60, 1, 48, 48)
    assert sets["validation"].labels.tolist() == [0] * 10 + [1] * 10
    assert sets["train"].classes == ("neutral", "happy")
    first = np.asarray(Image.open(tmp_path / "data" / "train" / "neutral" / "0.png"))
    assert np.array_equal(sets["train"].pixels[0, 0].numpy(), first)
    assert sets["lfw"].pixels.shape == (16, 1, 112, 112)
    assert sets["lfw"].people.tolist() == [*range(8), *range(8)]
    assert len(sets["drawn_train"].labels) == 40
    everything = ["train", "validation", "people", "people", "40 drawn", "20 drawn"]
    assert decoded == everything
    again = load_sets(sources, kept, TINY)
    assert decoded == everything
    assert all(torch.equal(again[name].pixels, sets[name].pixels) for name in sets)
    assert fingerprints(again) == fingerprints(sets)


def test_what_changed_is_decoded_again(tmp_path: Path, decoded: list[str]) -> None:
    sources, kept = folders(tmp_path / "data"), tmp_path / "kept"
    before = fingerprints(load_sets(sources, kept, TINY))
    decoded.clear()
    many = load_sets(sources, kept, replace(TINY, drawn_faces=60))
    assert (len(many["drawn_train"].labels), len(many["drawn"].labels)) == (60, 30)
    assert decoded == ["60 drawn", "30 drawn"]
    decoded.clear()
    changed = tmp_path / "data" / "train" / "neutral" / "0.png"
    grey(changed, 7)
    os.utime(changed, ns=(0, 0))
    sets = load_sets(sources, kept, TINY)
    assert decoded == ["train"]
    assert (sets["train"].pixels[0] == 7).all()
    after = fingerprints(sets)
    assert after["data"] != before["data"]
    assert (after["lfw"], after["pairs"]) == (before["lfw"], before["pairs"])
    decoded.clear()
    other = folders(tmp_path / "other")
    load_sets(replace(other, lfw=None, pairs=None), kept, TINY)
    assert decoded == ["train", "validation"]


def test_landmarks_are_those_of_the_images(tmp_path: Path) -> None:
    sources, kept = folders(tmp_path / "data"), tmp_path / "kept"
    assert load_sets(sources, kept, TINY)["train"].landmarks is None
    row = "happy/1.png,,,,,0.3,0.4,0.7,0.4,0.5,0.6,0.4,0.8,0.6,0.8"
    write(sources.landmarks, ",".join(csv_header()), row)
    train = load_sets(sources, kept, TINY)["train"]
    assert train.landmarks[31, 2].tolist() == pytest.approx([0.3, 0.4])
    assert train.select(torch.tensor([31])).landmarks.shape[0] == 1
    grey(tmp_path / "data" / "train" / "happy" / "00.png", 9)  # before the others
    train = load_sets(sources, kept, TINY)["train"]
    assert len(train.landmarks) == len(train.pixels) == 61
    assert train.landmarks[32, 2].tolist() == pytest.approx([0.3, 0.4])


@pytest.mark.parametrize("name", ["lfw", "pairs"])
def test_people_without_the_classes_are_refused(
    tmp_path: Path, decoded: list[str], name: str
) -> None:
    sources = folders(tmp_path / "data")
    poor = tmp_path / "poor"
    for expression in ("happy", "sad"):
        grey(poor / expression / "id001_0.png", 3)
    with pytest.raises(InputError, match="poor: no neutral faces, but only happy, sad"):
        load_sets(replace(sources, **{name: poor}), tmp_path / "kept", TINY)
    assert "poor" not in decoded
