"""Whether a copy of a set is where and what it should be, and complete."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledItem


def first_existing(root: Path, *candidates: str) -> Path | None:
    """The first of some paths below a folder that exists."""
    return next((root / name for name in candidates if (root / name).exists()), None)


def check_count(what: str, found: int, *official: int) -> None:
    """Warns if a copy of a set has another size than the set has officially.

    Args:
        what: The set and its split.
        found: Number of its labels here.
        official: What the number should be; several if there are several releases,
            none if there is no knowing.
    """
    if official and found not in official:
        expected = " or ".join(f"{count:,}" for count in official)
        warnings.warn(
            f"{what}: {found:,} labels found, the full set has {expected}", stacklevel=2
        )


def drop_missing(
    listed: Sequence[tuple[Path, LabelledItem]], source: Path
) -> list[LabelledItem]:
    """Leaves out the items whose image is not there, with a warning.

    Args:
        listed: Each item with its image file.
        source: The list that names them.

    Raises:
        InputError: If not one image is there.
    """
    found = [(path.is_file(), path, item) for path, item in listed]
    items = [item for exists, _, item in found if exists]
    missing = [path for exists, path, _ in found if not exists]
    if missing and not items:
        raise InputError(
            f"{source}: not one of its {len(missing):,} images is there; the first "
            f"should be {missing[0]}"
        )
    warn_left_out(source, "listed images are missing", map(str, missing), len(found))
    return items


def warn_left_out(source: Path, what: str, names: Iterable[str], total: int) -> None:
    """Warns, if there are any, how many items are left out, naming the first."""
    if left_out := list(names):
        warnings.warn(
            f"{source}: {len(left_out):,} of {total:,} {what} and left out, the first: "
            f"{left_out[0]}",
            stacklevel=3,
        )
