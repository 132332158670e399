"""Damage is noticed wherever something is read, named, and mended where it can be."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run
from earlier_galleries import as_version
from small_galleries import QUERY, READS, opened, records

from contrawarp_edge import Gallery, InputError
from contrawarp_edge.core.errors import DamagedError


def execute(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


CHANGES = {
    "path": "path = 'faces/x.png'",
    "sha256": "sha256 = replace(sha256, '0', '1')",
    "metadata": """metadata = '{"a": 1, "b": "text"}'""",
    "added": "added = '1999-01-01T00:00:00+00:00'",
    "revision": "revision = 0",
    "one bit": "embedding = CAST(x'01' || substr(embedding, 2) AS BLOB)",
    "no text": "path = CAST(x'ff00ff' AS TEXT)",
    "a number": "metadata = 5",
    "checksum": "checksum = checksum + 1",
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_part_of_a_row_can_change(path: Path, change: str) -> None:
    execute(path, f"UPDATE images SET {CHANGES[change]} WHERE id = 17")
    for name, read in READS.items():
        with pytest.raises(
            DamagedError, match=r"a\.gallery: image 17 .*check"
        ) as caught:
            opened(path, read)
        assert "\n" not in str(caught.value), name
    assert opened(path, lambda gallery: gallery.get(16)) is not None
    result = run("check", path)
    assert result.exit_code == 3
    assert "image 17 (" in result.stdout
    assert "remove" in result.stdout
    with Gallery.open(path) as gallery:  # what the advice comes to
        gallery.delete([17])
        gallery.add(records(60)[16:17])
    assert run("check", path).stdout == f"{path}: 60 images read, whole\n"


def test_a_row_that_went_to_another_id(path: Path) -> None:
    execute(path, "UPDATE images SET id = 103 WHERE id = 17")
    for name in ("all", "search", "matrix"):
        with pytest.raises(DamagedError, match=r"image 103 \(.*faces/16\.png\)"):
            opened(path, READS[name])


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    while True:
        value = value << 7 | data[at] & 0x7F
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def leaf(data: bytes, row: bytes) -> tuple[int, dict[int, int]]:
    """Where the table's page with a row begins, and where its row ids stand."""
    size = int.from_bytes(data[16:18], "big")
    for page in range(0, len(data), size):
        if data[page] == 0x0D and row in data[page : page + size]:
            count = int.from_bytes(data[page + 3 : page + 5], "big")
            places = {}
            for cell in range(count):
                at = page + 8 + 2 * cell
                start = page + int.from_bytes(data[at : at + 2], "big")
                _, place = varint(data, start)
                places[varint(data, place)[0]] = place
            return page, places
    raise LookupError


@pytest.mark.parametrize("version", [2, 3])
def test_table_and_index_disagree(path: Path, version: int) -> None:
    """The row's id is damaged in the table, and the index still names the old one."""
    if version == 2:
        as_version(path, version)
    data = bytearray(path.read_bytes())
    _, places = leaf(data, b"faces/19.png")
    data[places[20]] = 103
    path.write_bytes(data)
    result = run("search", path, "--id", 1)
    assert result.exit_code == 2
    assert "103" in result.stderr
    reads = {**READS, "by path": lambda gallery: gallery.get("faces/19.png")}
    for name in ("all", "search", "matrix", "paths", "by path"):
        with pytest.raises(DamagedError):
            opened(path, reads[name])
    result = run("check", path)
    assert result.exit_code == 3
    assert "103" in result.stdout
    assert "SQLite says: " in result.stdout
    assert "backup" in result.stdout


def test_a_row_that_the_table_lost(path: Path) -> None:
    data = bytearray(path.read_bytes())
    page, places = leaf(data, b"faces/19.png")
    count = len(places) - 1
    data[page + 3 : page + 5] = count.to_bytes(2, "big")
    path.write_bytes(data)
    for name in ("all", "paths", "search", "filtered", "matrix"):
        with pytest.raises(DamagedError):
            opened(path, READS[name])
    assert run("check", path).exit_code == 3


META = {
    "model": "replace(value, 'tight', 'loose')",
    "aligned": "'yes'",
    "dim": "'9'",
    "fingerprint": "replace(value, 'a', 'b')",
    "schema_version": "'2'",
    "checksum": "'1'",
}


@pytest.mark.parametrize("key", META)
def test_what_it_says_of_its_model(path: Path, key: str) -> None:
    execute(path, f"UPDATE meta SET value = {META[key]} WHERE key = ?", key)
    for readonly in (True, False):
        with pytest.raises(DamagedError, match=r"a\.gallery: is damaged: .* its model"):
            Gallery.open(path, readonly=readonly)


def test_history(path: Path) -> None:
    execute(path, "DELETE FROM history")
    with pytest.raises(DamagedError, match="history"):
        opened(path, READS["search"])


def test_replacing_does_not_make_damage_whole(path: Path) -> None:
    execute(path, """UPDATE images SET metadata = '{"a": 7}' WHERE id = 17""")
    (record,) = records(60)[16:17]
    with Gallery.open(path) as gallery:
        with pytest.raises(DamagedError, match="image 17"):
            gallery.add([replace(record, metadata=None)])  # would keep it
        assert gallery.add([record]) == [17]  # says all anew
    assert run("check", path).exit_code == 0


@pytest.mark.parametrize("version", [1, 2])
def test_damage_from_before_there_were_checksums(path: Path, version: int) -> None:
    as_version(path, version)
    execute(path, "UPDATE images SET embedding = zeroblob(32) WHERE id = 17")
    result = run("check", path)
    assert re.search(
        r"image 17 \(.*faces/16\.png\): its embedding is no unit vector", result.stdout
    )
    assert "without checksums" in result.stdout
    with pytest.raises(DamagedError, match="image 17"):
        opened(path, READS["search"])
    Gallery.open(path).close()  # upgrades it, and does not make that row whole
    assert "without checksums" not in run("check", path).stdout
    for read in READS.values():
        with pytest.raises(DamagedError, match="image 17"):
            opened(path, read)


def test_wrong_arguments_are_no_damage(path: Path) -> None:
    with Gallery.open(path) as gallery:
        with pytest.raises(TypeError):
            gallery.search(QUERY, distinct="0.9")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            gallery.search(QUERY, min_score="0.9")  # type: ignore[arg-type]
        assert gallery.get(2**80) is None
    with pytest.raises(sqlite3.ProgrammingError):
        gallery.get(1)  # is closed


def test_a_faultless_gallery(path: Path) -> None:
    assert run("check", path).stdout == f"{path}: 60 images read, whole\n"
    result = run("check", path.with_name("none"))
    assert result.exit_code == 2
    with pytest.raises(InputError):
        opened(path.with_name("none"), READS["all"])
