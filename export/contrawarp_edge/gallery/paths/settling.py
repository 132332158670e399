"""To which folder the paths in a gallery are relative, and making that its own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from sqlite3 import Connection

from contrawarp_edge.core.text import as_text
from contrawarp_edge.gallery.paths.places import (
    Places,
    absolute,
    gallery_folder,
    is_there,
    joined,
    same_folder,
)
from contrawarp_edge.gallery.store import meta_table, statements


def folder_entry(gallery: Path) -> dict[str, str]:
    """What the meta table says about a new gallery's folder."""
    return {"folder": gallery_folder(gallery)}


def places_of(gallery: Path, meta: Mapping[str, str]) -> Places:
    """Where the images of a gallery may be.

    Relative paths are relative to the folder in which the gallery was when it was last
    written; if it is elsewhere now, its images may have moved with it or not. Galleries
    before version 3 have paths as they were typed, from a folder that is not known: the
    current one, that of the gallery, or one above it.
    """
    folder = gallery_folder(gallery)
    written = meta.get("folder")
    if written is None:
        above = map(str, Path(folder).parents)
        bases = tuple(dict.fromkeys([absolute("."), folder, *above]))
        return Places(folder, bases, False)
    if written == as_text(folder) or same_folder(written, folder):
        return Places.settled(folder)
    return Places(folder, (folder, written), False)


def read(connection: Connection, gallery: Path) -> Places:
    """Where the images of a gallery may be by what its file says now."""
    return places_of(gallery, meta_table.entries(connection))


def settle(connection: Connection, gallery: Path) -> Places:
    """Makes all relative paths relative to the folder in which the gallery is now.

    Each is taken to be relative to that of the possible folders under which there is
    such a file. Where there is none, the other images decide. If no file of the gallery
    is anywhere, everything stays as it is, to be settled another time.

    Args:
        connection: To the gallery, inside a transaction that writes.
        gallery: The gallery file.

    Returns:
        Where its images are; settled, unless there is none of them.
    """
    meta = meta_table.entries(connection)
    places = places_of(gallery, meta)
    if places.is_settled:  # another process was quicker
        return places
    wanted = Places.settled(places.folder)
    targets = _targets(connection, places)
    if targets is None:
        return places
    renamed = {
        id: (old, new)
        for id, old, path in targets
        if (new := wanted.stored(path)) != old
    }
    _rename(connection, renamed)
    changed = {"folder": places.folder}
    if (model := meta.get("model_path")) is not None:
        changed["model_path"] = wanted.stored(places.absolute(model))
    meta_table.set_entries(connection, changed)
    return wanted


def _targets(
    connection: Connection, places: Places
) -> list[tuple[int, str, str]] | None:
    """Id, stored and absolute path of the images; None if that cannot be known."""
    known, unknown = [], []
    votes: Counter[str] = Counter()
    for id, stored in statements.stored_paths(connection, "ORDER BY path"):
        if os.path.isabs(stored):
            known.append((id, stored, stored))
            continue
        for base in places.bases:
            if is_there(full := joined(base, stored)):
                known.append((id, stored, full))
                votes[base] += 1
                break
        else:
            unknown.append((id, stored))
    if unknown and not votes:
        return None
    base = votes.most_common(1)[0][0] if votes else places.folder
    return known + [(id, old, joined(base, old)) for id, old in unknown]


def _rename(connection: Connection, renamed: Mapping[int, tuple[str, str]]) -> None:
    """Gives images other paths; of two with one path, the later one stays."""
    statements.check_rows(connection, renamed)
    # By way of names that no file has, since one may take the name of another.
    park(connection, renamed)
    changed = set()
    for id, (_, new) in renamed.items():
        taken = connection.execute("SELECT id FROM images WHERE path = ?", (new,))
        if row := taken.fetchone():
            if row[0] not in changed:
                statements.check_rows(connection, [row[0]])
            _merge(connection, *sorted((id, int(row[0]))))
            id = max(id, int(row[0]))
        connection.execute("UPDATE images SET path = ? WHERE id = ?", (new, id))
        changed.add(id)
    statements.seal_rows(connection, changed)


def park(connection: Connection, ids: Iterable[int]) -> None:
    """Takes the paths of images away, which have to get others before the commit."""
    connection.executemany(
        "UPDATE images SET path = char(0) || id WHERE id = ?", [(id,) for id in ids]
    )


def _merge(connection: Connection, earlier: int, later: int) -> None:
    """Leaves one of two images, with the metadata of both."""
    connection.execute(
        "UPDATE images SET metadata = json_patch("
        "(SELECT metadata FROM images WHERE id = ?), metadata) WHERE id = ?",
        (earlier, later),
    )
    statements.next_revision(connection)
    connection.execute("DELETE FROM images WHERE id = ?", (earlier,))
