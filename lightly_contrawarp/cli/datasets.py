"""Labelled sets as commands name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.sets import available_splits, open_folder, open_set


def open_sets(
    data: str | None,
    split: str | None = None,
    train: Path | None = None,
    test: Path | None = None,
    identity_pattern: str | None = None,
) -> tuple[LabelledImages, LabelledImages]:
    """Opens what to learn from and what to be scored on.

    Args:
        data: ``NAME=PATH`` of a set, or a folder; what ``--data`` takes.
        split: The split to be scored on, if there are several.
        train: Folder to learn from, instead of the set.
        test: Folder to be scored on, instead of the set.
        identity_pattern: Regular expression whose group finds the person in a path.

    Raises:
        InputError: If one of the two is missing, or cannot be opened.
    """
    if data is None and (train is None or test is None):
        raise InputError("give --train and --test, or --data with both splits in it")
    options: dict[str, Any] = {}
    if identity_pattern:
        options["identity_pattern"] = identity_pattern
    return (
        open_folder(train, identity_pattern)
        if train
        else open_set(str(data), "train", **options),
        open_folder(test, identity_pattern)
        if test
        else open_set(str(data), split or _only_test_split(str(data)), **options),
    )


def _only_test_split(spec: str) -> str:
    found = [split for split in available_splits(spec) if split != "train"]
    if len(found) > 1:
        raise InputError(f"{spec}: has {' and '.join(found)}; choose with --part")
    if not found:
        raise InputError(f"{spec}: has no split to be scored on; use --test")
    return found[0]
