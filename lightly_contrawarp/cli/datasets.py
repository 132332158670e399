"""Labelled sets as commands name them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import is_text
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.sets import (
    available_splits,
    open_folder,
    open_set,
    split_folders,
)


def open_sets(
    data: str | None,
    split: str | None = None,
    train: Path | None = None,
    test: Path | None = None,
    identity_pattern: str | None = None,
    *,
    lenient: bool = False,
) -> tuple[LabelledImages, LabelledImages]:
    """Opens what to learn from and what to be scored on.

    Args:
        data: ``NAME=PATH`` of a set, or a folder; what ``--data`` takes.
        split: The split to be scored on, if there are several.
        train: Folder to learn from, instead of the set.
        test: Folder to be scored on, instead of the set.
        identity_pattern: Regular expression whose group finds the person in a path.
        lenient: Whether the pattern may be meant for other sets: where it does not
            fit, a warning says so, and people are not known.

    Raises:
        InputError: If one of the two is missing, or cannot be opened.
    """
    if lenient and identity_pattern:
        try:
            return open_sets(data, split, train, test, identity_pattern)
        except InputError as error:
            sets = open_sets(data, split, train, test)
            warnings.warn(f"without people: {error}", UserWarning, stacklevel=2)
            return sets
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


def open_labels(spec: str) -> LabelledImages:
    """Opens images to fit a classifier to.

    Args:
        spec: ``NAME=PATH`` of a set, or a folder: what is in ``train/``, or the classes
            themselves.

    Raises:
        InputError: If they cannot be opened, or a class has a name that models cannot
            hold.
    """
    root = Path(spec)
    if not spec:  # would be the current folder
        raise InputError("labelled images: give their folder, or NAME=PATH")
    images = (
        open_folder(split_folders(root).get("train", root))
        if root.is_dir()
        else open_set(spec, "train")
    )
    for name in images.classes:
        if not is_text(name):
            raise InputError(
                f"{images.root}: the class {name} has a name that is no valid Unicode; "
                "rename its folder"
            )
    return images


def open_searched(
    specs: Iterable[str], identity_pattern: str | None
) -> dict[str, LabelledImages]:
    """Opens sets that are only searched.

    Args:
        specs: ``[NAME=]FOLDER`` of each. The folder holds the classes, or one split of
            a set; the name is by default that of the folder.
        identity_pattern: Regular expression whose group finds the person in a path.

    Returns:
        The sets by name.

    Raises:
        InputError: If a set cannot be opened, people cannot be found, or a name is
            given twice.
    """
    sets: dict[str, LabelledImages] = {}
    for spec in specs:
        if identity_pattern is None:
            raise InputError(f"{spec}: --search needs --identity-pattern")
        name, equals, after = spec.partition("=")
        # A folder may have an = in its name.
        whole = not equals or os.path.exists(spec)
        root = Path(spec if whole else after)
        name = root.resolve().name if whole else name.strip()
        if not name or name in sets:
            problem = "given twice" if name else "has no name"
            raise InputError(f"{spec}: {problem}; write NAME={root}")
        splits = split_folders(root)
        if len(splits) > 1:
            raise InputError(f"{root}: holds {' and '.join(splits)}; give one of them")
        sets[name] = open_folder(next(iter(splits.values()), root), identity_pattern)
    return sets


def _only_test_split(spec: str) -> str:
    found = [split for split in available_splits(spec) if split != "train"]
    if len(found) > 1:
        raise InputError(f"{spec}: has {' and '.join(found)}; choose with --part")
    if not found:
        raise InputError(f"{spec}: has no split to be scored on; use --test")
    return found[0]
