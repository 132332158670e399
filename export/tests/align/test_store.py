"""The record of a folder of crops: damage, forgetting, and earlier versions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from contrawarp_edge.align.record_file import RECORD
from contrawarp_edge.align.store import AlignRecord, FaceRow
from contrawarp_edge.core.errors import InputError, StorageError

SETTINGS: dict[str, object] = {"size": 16}
SECRET = "somebody-who-is-nobodys-business"


def filled(folder: Path, count: int = 200) -> Path:
    """A record of photos with a face each; returns its file."""
    with closing(AlignRecord(folder, SETTINGS)) as record:
        for number in range(count):
            name = f"{SECRET}-{number}"
            box = (0.0, 0.0, 1.0, 1.0)
            face = FaceRow(f"{name}.jpg", name, name, None, None, 1.0, [0.5] * 10, box)
            record.store(name, name, "hash", ["why"], [face], lambda file: None)
    return folder / RECORD


def execute(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def use(folder: Path) -> None:
    """Reads all of a record."""
    with closing(AlignRecord(folder, SETTINGS)) as record:
        list(record.faces())
        list(record.skipped())
        for source, _ in record.sources():
            record.faces_of(source)
            record.reasons_of(source)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE faces SET points = 'x'",
        "UPDATE faces SET box = 'x'",
        "UPDATE photos SET reasons = 'x'",
    ],
)
def test_rows_that_cannot_be_read(tmp_path: Path, statement: str) -> None:
    execute(filled(tmp_path / "a", 3), statement)
    with pytest.raises(StorageError, match="a row of it cannot be read"):
        use(tmp_path / "a")


@pytest.mark.parametrize("page", [0, 1, 3, 9])
def test_a_damaged_file(tmp_path: Path, page: int) -> None:
    file = filled(tmp_path / "a")
    content = bytearray(file.read_bytes())
    content[4096 * page : 4096 * page + 2048] = b"\xff" * 2048
    file.write_bytes(content)
    with pytest.raises(StorageError) as caught:
        use(tmp_path / "a")
    assert str(caught.value).startswith(f"{file}: is damaged (")
    assert "align the photos into a new folder" in str(caught.value)
    assert "check" not in str(caught.value)


def test_a_connection_is_not_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    connect = sqlite3.connect

    def remember(*arguments: object, **options: object) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))  # type: ignore[call-overload]
        return opened[-1]

    filled(tmp_path / "a", 1)
    monkeypatch.setattr(sqlite3, "connect", remember)
    with pytest.raises(InputError, match="made with other settings"):
        AlignRecord(tmp_path / "a", {"size": 17})
    (connection,) = opened
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def holds_secret(folder: Path) -> bool:
    return any(SECRET.encode() in file.read_bytes() for file in folder.iterdir())


def test_what_was_forgotten_is_erased_later_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path / "a")
    names = [f"{SECRET}-{number}" for number in range(200)]
    with monkeypatch.context() as killed:
        killed.setattr("contrawarp_edge.align.store.erase", lambda connection: None)
        with closing(AlignRecord(tmp_path / "a", SETTINGS)) as record:
            record.forget(names, lambda file: None)
            record.store("other", "other", "", [], [], lambda file: None)
    with closing(AlignRecord(tmp_path / "a", SETTINGS)) as record:
        assert record.sources() == [("other", "")]
    assert not holds_secret(tmp_path / "a")
    (row,) = sqlite3.connect(tmp_path / "a" / RECORD).execute(
        "SELECT count(*) FROM forgotten"
    )
    assert row == (0,)


def test_records_of_earlier_versions(tmp_path: Path) -> None:
    """They said in ``user_version`` what is still to be erased."""
    file = filled(tmp_path / "a")
    execute(file, "PRAGMA secure_delete = OFF")
    execute(file, "DROP TABLE forgotten")
    execute(file, "DELETE FROM faces")
    execute(file, "DELETE FROM photos")
    with closing(AlignRecord(tmp_path / "a", SETTINGS)) as record:
        assert record.sources() == []
    assert not holds_secret(tmp_path / "a")
