"""The SQLite file behind a gallery: making it, and opening it without side effects."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

from contrawarp_edge.core.drafts import draft_path
from contrawarp_edge.core.errors import BusyError, InputError, NotFoundError
from contrawarp_edge.core.files import storage_errors
from contrawarp_edge.core.locking import locked_folder
from contrawarp_edge.core.sqlite import write_ahead
from contrawarp_edge.core.sqlite.connections import PlacedConnection, place_of
from contrawarp_edge.core.sqlite.transactions import sqlite_errors, transaction
from contrawarp_edge.gallery.store.schema import (
    SCHEMA_VERSION,
    complete,
    make_tables,
    read_meta,
    upgrade,
)

_ATTEMPTS = 20


def create(path: Path, meta: Mapping[str, str], dim: int) -> None:
    """Creates an empty gallery file, whole or not at all.

    Args:
        path: Where; nothing may be there yet.
        meta: Entries of the meta table besides ``schema_version``.
        dim: Length D of the embeddings.

    Raises:
        InputError: If something is there already.
        NotFoundError: If there is no such folder.
        StorageError: If the folder cannot be written.
    """
    if not path.parent.is_dir():
        raise NotFoundError(f"{path}: its folder does not exist")
    folder = path.parent.resolve()
    target = folder / path.name
    with (
        locked_folder(folder),
        sqlite_errors(path),
        storage_errors(f"{path}: cannot be written"),
    ):
        if os.path.lexists(target):
            raise InputError(f"{path}: is there already")
        draft = draft_path(target)  # a killed run's if there is one: we have the lock
        try:
            _remove(draft)
            _fill(draft, meta, dim)
            # Nothing is here, so a log is of a file that was removed or moved away.
            write_ahead.remove_log(target)
            _publish(draft, target)
        except FileExistsError as error:
            raise InputError(f"{path}: is there already") from error
        finally:
            with suppress(OSError):
                _remove(draft)


def _fill(draft: Path, meta: Mapping[str, str], dim: int) -> None:
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        # At the default of 4096, one row of dim 512 would leave half a page empty.
        connection.execute("PRAGMA page_size = 16384")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")
        with transaction(connection, "IMMEDIATE"):
            make_tables(connection, meta, dim)


def _remove(draft: Path) -> None:
    write_ahead.remove_log(draft)
    draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)  # unlike renaming, never replaces another's gallery
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as on many SD cards
        draft.rename(path)


def connect(path: Path, *, readonly: bool) -> tuple[PlacedConnection, dict[str, str]]:
    """Opens a gallery file.

    Args:
        path: The file.
        readonly: Whether writing through this connection is refused. Such a
            connection also works on media that cannot be written.

    Returns:
        The connection, in autocommit mode, and the meta table.

    Raises:
        InputError: If the file is no gallery. Nothing is created then.
        NotFoundError: If there is none.
        StorageError: If it cannot be opened.
    """
    with storage_errors(f"{path}: cannot be opened"):
        if not path.is_file():
            advice = "`contrawarp-edge embed` makes galleries"
            if path.is_dir():
                raise InputError(f"{path}: is a folder; {advice}")
            raise NotFoundError(f"{path}: no such gallery; {advice}")
        file = path.resolve()
    with sqlite_errors(path):
        if not write_ahead.is_foreign(file):
            connection, meta = _open_live(path, readonly)
        elif readonly:
            connection, meta = _open_alone(path)
        else:
            _remove_foreign_log(file)
            connection, meta = _open_live(path, readonly)
        try:
            if int(meta["schema_version"]) < SCHEMA_VERSION:
                if readonly:
                    complete(connection, meta)
                else:
                    upgrade(connection)
            connection.execute(f"PRAGMA query_only = {readonly:d}")
        except BaseException:
            connection.close()
            raise
        return connection, meta


def remove_log_of_none(path: Path) -> None:
    """Removes the log that lies where no gallery is any more."""
    file = path.resolve()
    with suppress(OSError), locked_folder(file.parent):
        if not os.path.lexists(file):
            write_ahead.remove_log(file)


def _remove_foreign_log(file: Path) -> None:
    log = write_ahead.log_path(file)
    failure = f"{log}: is of another gallery and cannot be removed"
    with storage_errors(failure), locked_folder(file.parent):
        # Another process may have done so, and begun a log of its own.
        if write_ahead.is_foreign(file):
            write_ahead.remove_log(file)


def _open_live(path: Path, readonly: bool) -> tuple[PlacedConnection, dict[str, str]]:
    """Opens a file together with its log, so that what others write is seen."""
    try:
        # For reading too: unlike mode=ro, it leaves no -wal and -shm files behind, and
        # it is the same where the file cannot be written.
        return _open(path, "mode=rw")
    except sqlite3.OperationalError as error:
        is_busy = "locked" in str(error)
        if not readonly or is_busy or not write_ahead.holds_nothing(path.resolve()):
            raise
    return _open_alone(path)


def _open_alone(path: Path) -> tuple[PlacedConnection, dict[str, str]]:
    """Opens a file without its log, which is not there or is another's."""
    connection, meta = _open(path, "mode=ro&immutable=1")
    file = path.resolve()
    # While there is none, nobody is copying from a log into the file.
    if write_ahead.holds_nothing(file) or write_ahead.is_foreign(file):
        return connection, meta
    connection.close()
    raise BusyError(f"{path}: another process is just beginning to write; try again")


def _open(path: Path, mode: str) -> tuple[PlacedConnection, dict[str, str]]:
    for _ in range(_ATTEMPTS):
        place = place_of(path, is_immutable="immutable" in mode)
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?{mode}",
            uri=True,
            isolation_level=None,
            timeout=30,
            factory=PlacedConnection,
        )
        try:
            # Notices some damage before it leads astray; no file for temporary views.
            connection.execute("PRAGMA cell_size_check = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            # SQLite's own default differs from one system to the next.
            connection.execute("PRAGMA secure_delete = ON")
            meta = read_meta(connection, path)
            # Commits reach the file itself at once, as far as readers let them: it is
            # whole when it is copied or moved without its log, or the log is lost.
            connection.execute("PRAGMA wal_autocheckpoint = 1")
        except BaseException:
            connection.close()
            raise
        if place.is_current():
            connection.place = place
            return connection, meta
        connection.close()
    raise BusyError(f"{path}: keeps changing; try again")


def beside(gallery: Path, suffix: str) -> Path:
    """A file or folder that belongs to a gallery.

    It lies beside the file itself, also if the gallery is named by a link: all who use
    the gallery have to find the same.
    """
    file = gallery.resolve()
    return file.with_name(f"{file.name}{suffix}")


def is_sqlite(path: Path) -> bool:
    """Whether a file begins like an SQLite database."""
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return False
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False
