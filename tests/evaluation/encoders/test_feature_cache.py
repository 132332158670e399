import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from contrawarp_edge.core.errors import InputError
from helpers import MakeSet
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.encoders.feature_cache import FeatureCache
from lightly_contrawarp.evaluation.encoders.features import Features
from lightly_contrawarp.evaluation.statistics.near_duplicates import SIDE


class Counting(nn.Module):
    """Mean colours, times a weight; counts the images it sees."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.seen = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen += len(images)
        return images.mean(dim=(2, 3)) * self.weight


@pytest.fixture
def images(make_set: MakeSet) -> LabelledFolder:
    images = make_set("train", 4)
    Path(images.names[2]).write_bytes(b"no image")
    return images


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "new" / "cache")


def _same(first: Features, second: Features) -> bool:
    return (
        np.array_equal(first.values, second.values)
        and np.array_equal(first.rows, second.rows)
        and first.unreadable == second.unreadable
    )


def _file(cache: FeatureCache) -> Path:
    (path,) = cache.folder.iterdir()
    return path


def test_images_are_embedded_once(cache: FeatureCache, images: LabelledFolder) -> None:
    module = Counting()
    done: list[int] = []
    first = cache.features(TorchEncoder(module, 8), images, batch_size=5)
    again = cache.features(TorchEncoder(module, 8), images, on_progress=done.append)
    assert module.seen == 11
    assert done == [12]
    assert _same(first, again)
    assert len(again.unreadable) == 1
    assert [path.suffix for path in cache.folder.iterdir()] == [".npz"]


def test_thumbnails_are_made_where_they_are_wanted(
    cache: FeatureCache, images: LabelledFolder
) -> None:
    module = Counting()
    plain = cache.features(TorchEncoder(module, 8), images)
    assert plain.thumbnails.shape == (11, 0)
    for _ in range(2):
        wanted = cache.features(TorchEncoder(module, 8), images, thumbnails=True)
        assert wanted.thumbnails.shape == (11, SIDE**2)
    # A file without them was no use; one with them serves both.
    again = cache.features(TorchEncoder(module, 8), images)
    assert module.seen == 22
    assert _same(plain, again)


@pytest.mark.parametrize(
    "change",
    [
        lambda images: os.utime(images.names[0], ns=(1, 1)),
        lambda images: Path(images.names[0]).write_bytes(b"longer " * 99),
        lambda images: images.names.__setitem__(0, images.names[0] + "x"),
        lambda images: (images.root / "boxes.csv").write_text("1,2"),
    ],
)
def test_changed_images_are_embedded_again(
    cache: FeatureCache,
    images: LabelledFolder,
    change: Callable[[LabelledFolder], object],
) -> None:
    module = Counting()
    cache.features(TorchEncoder(module, 8), images)
    change(images)
    cache.features(TorchEncoder(module, 8), images)
    assert module.seen > 11


def test_images_that_items_are_cut_out_of_count_too(
    cache: FeatureCache, images: LabelledFolder
) -> None:
    photo = Path(images.names[0])
    images.names[:] = [f"{name} face 1" for name in images.names]
    module = Counting()
    for _ in range(2):
        cache.features(TorchEncoder(module, 8), images)
    assert module.seen == 11
    os.utime(photo, ns=(1, 1))
    cache.features(TorchEncoder(module, 8), images)
    assert module.seen == 22


def test_cache_inside_the_set(
    images: LabelledFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(images.root)
    module = Counting()
    for _ in range(2):
        cache = FeatureCache(Path("cache"))
        cache.features(TorchEncoder(module, 8), images)
    assert module.seen == 11


def test_other_encoders_have_features_of_their_own(
    cache: FeatureCache, images: LabelledFolder
) -> None:
    for weight, size in ((1.0, 8), (2.0, 8), (1.0, 6)):
        module = Counting(weight)
        cache.features(TorchEncoder(module, size), images)
        assert module.seen == 11
    assert len(list(cache.folder.iterdir())) == 3


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    value = np.load(path)["values"][3].tobytes()
    content[content.index(value)] ^= 1
    path.write_bytes(content)


def _other_key(path: Path) -> None:
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "key": "0" * 64})


def _fewer_rows(path: Path) -> None:
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "values": arrays["values"][1:]})


@pytest.mark.parametrize(
    "damage",
    [
        *(_cut, _flip_bit, _other_key, _fewer_rows),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK\x03\x04 no archive"),
        lambda path: np.savez(path, key=np.array({}, dtype=object)),
    ],
)
def test_damaged_files_are_not_trusted(
    cache: FeatureCache, images: LabelledFolder, damage: Callable[[Path], object]
) -> None:
    module = Counting()
    first = cache.features(TorchEncoder(module, 8), images)
    damage(_file(cache))
    again = cache.features(TorchEncoder(module, 8), images)
    assert module.seen == 22
    assert _same(first, again)
    cache.features(TorchEncoder(module, 8), images)
    assert module.seen == 22


def test_what_others_keep_in_the_folder_is_left_alone(
    tmp_path: Path, images: LabelledFolder
) -> None:
    thesis = tmp_path / "data" / "deep" / ".thesis.draft"
    thesis.mkdir(parents=True)
    (thesis / "chapter.txt").write_text("years of work")
    (tmp_path / "data" / ".notes.draft").write_text("mine")
    FeatureCache(tmp_path / "data").features(TorchEncoder(Counting(), 8), images)
    assert (thesis / "chapter.txt").read_text() == "years of work"
    assert (tmp_path / "data" / ".notes.draft").read_text() == "mine"


def test_cache_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(InputError, match="--cache has to be a folder"):
        FeatureCache(tmp_path / "a")
    with pytest.raises(InputError, match="cannot be created"):
        FeatureCache(tmp_path / "a" / "b")
