"""RAF-DB, basic expressions: the official layout and the one sorted into folders."""

from __future__ import annotations

from pathlib import Path

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledImages, LabelledItem, file_item
from lightly_contrawarp.data.sets.checks import (
    check_count,
    drop_missing,
    first_existing,
)
from lightly_contrawarp.data.sets.class_folders import read_repack, split_folders
from lightly_contrawarp.data.tables import label_number, spaced_rows

_LABELS = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
_BY_NUMBER = {str(number): name for number, name in enumerate(_LABELS, start=1)}
_COUNTS = {"train": (12_271,), "test": (3_068,)}
_LISTS = ("list_patition_label.txt", "list_partition_label.txt")  # as published; mended


def splits(root: Path) -> tuple[str, ...]:
    """The splits of a copy."""
    return tuple(_COUNTS) if _list_file(root) else tuple(split_folders(_repack(root)))


def read(root: Path, split: str) -> LabelledImages:
    """Reads a split.

    Args:
        root: Holds ``EmoLabel/`` and ``Image/aligned/``, both if wanted below
            ``basic/``; or ``train/1`` to ``test/7``, if wanted below ``DATASET/``.
        split: One of `splits`.
    """
    if list_file := _list_file(root):
        items = _read_list(list_file, split)
    else:
        items = read_repack(_repack(root), split, _BY_NUMBER)
        check_count(f"rafdb {split}", len(items), *_COUNTS.get(split, ()))
    return LabelledImages("rafdb", root, items)


def _read_list(list_file: Path, split: str) -> list[LabelledItem]:
    folder = list_file.parent.parent / "Image" / "aligned"
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; it should hold the aligned faces")
    listed = []
    for where, fields in spaced_rows(list_file):
        if len(fields) != 2 or not fields[0].startswith(("train_", "test_")):
            raise InputError(f"{where}: expected a line such as train_00001.jpg 5")
        label = label_number(fields[1], where)
        if not 1 <= label <= len(_LABELS):
            raise InputError(
                f"{where}: label {label} is no basic expression (1 to 7); the compound "
                "set cannot be used, give the folder of the basic one"
            )
        if fields[0].startswith(split):
            path = folder / f"{Path(fields[0]).stem}_aligned.jpg"
            listed.append((path, file_item(path, _LABELS[label - 1])))
    check_count(f"rafdb {split}", len(listed), *_COUNTS.get(split, ()))
    return drop_missing(listed, list_file)


def _list_file(root: Path) -> Path | None:
    candidates = [f"EmoLabel/{name}" for name in _LISTS]
    return first_existing(root, *candidates, *(f"basic/{name}" for name in candidates))


def _repack(root: Path) -> Path:
    for folder in (root / "DATASET", root):
        if folder.is_dir() and split_folders(folder):
            return folder
    raise InputError(
        f"{root}: no RAF-DB in this folder; expected EmoLabel/{_LISTS[0]} and "
        "Image/aligned/, or DATASET/train/1 to 7"
    )
