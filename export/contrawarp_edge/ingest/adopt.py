"""Files whose content a gallery knows by another path: moved, renamed or copied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.records import Record
from contrawarp_edge.inputs.originals import original_exists


@dataclass
class Adopted:
    """What a gallery knows of some files without embedding them.

    Attributes:
        unchanged: Those that it knows by their path.
        moved: Those that were moved or renamed, with the id that each had before.
        copies: The embeddings of those that are copies of others.
        lost: Those that it knew a moment ago, but does not any more.
    """

    unchanged: list[Path] = field(default_factory=list)
    moved: dict[int, Path] = field(default_factory=dict)
    copies: list[Record] = field(default_factory=list)
    lost: list[Path] = field(default_factory=list)


def adopt(
    gallery: Gallery,
    known: Sequence[tuple[Path, str]],
    others: Iterable[tuple[Path, str]] = (),
) -> Adopted:
    """Finds out where a gallery knows the content of files from; changes nothing.

    A file was moved if none is left at the path that the gallery has for its content,
    or one with other content. It is a copy if that file is still there, or may be.

    Args:
        gallery: The gallery.
        known: Files with their hashes, of which the gallery has each.
        others: Files with their hashes that are stored at the same time.
    """
    adopted = Adopted()
    paths = gallery.paths
    now = {paths.stored(path): sha256 for path, sha256 in (*known, *others)}
    for path, sha256 in known:
        if gallery.sha256_of(str(path)) == sha256:
            adopted.unchanged.append(path)
            continue
        twins = paths.twins(path, sha256)
        left = [
            (id, twin)
            for id, twin in twins
            if id not in adopted.moved
            and _has_left(twin, sha256, now.get(paths.stored(twin)))
        ]
        if left:
            id, _ = min(left, key=lambda twin: Path(twin[1]).name != path.name)
            adopted.moved[id] = path
        elif twins and (twin := gallery.get(twins[0][0])) is not None:
            copy = Record(str(path), sha256, twin.embedding, scores=twin.scores)
            adopted.copies.append(copy)
        else:
            adopted.lost.append(path)
    return adopted


def _has_left(path: str, sha256: str, now: str | None) -> bool:
    if now is not None:
        return now != sha256
    try:
        return not original_exists(path)
    except OSError:
        return False
