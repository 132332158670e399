from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import click
import pytest
from click.testing import CliRunner

import contrawarp_edge.core.errors as errors
from contrawarp_edge.core.command import CleanCommand
from contrawarp_edge.core.files import atomic_write, staged_files
from contrawarp_edge.core.sqlite.transactions import sqlite_errors


def tree(kind: type, depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, kind.__name__
    own = (one for one in kind.__subclasses__() if one.__module__ == errors.__name__)
    for one in sorted(own, key=lambda one: (one.__name__ == "Damage", one.__name__)):
        yield from tree(one, depth + 1)


def test_the_tree_is_as_it_is_drawn() -> None:
    lines = (errors.__doc__ or "").splitlines()
    drawn = [re.match(r"^    ([│├└─ ]*)(\w+)", line) for line in lines]
    found = [(len(line[1]) // 4, line[2]) for line in drawn if line]
    assert sorted(found) == sorted(tree(errors.ContrawarpError))


@pytest.mark.parametrize("kind", [errors.InputError, errors.BusyError, errors.Damage])
def test_a_command_says_each_in_one_line(kind: type[Exception]) -> None:
    @click.command("fail", cls=CleanCommand)
    def fail() -> None:
        raise kind("no such\nthing")

    result = CliRunner().invoke(fail)
    assert (result.exit_code, result.stderr) == (2, "Error: no such thing\n")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_one_whoever_writes(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a"
    kind = errors.StorageError if number == errno.EIO else errors.FullError
    failing = mock.patch("os.fsync", side_effect=OSError(number, os.strerror(number)))
    with failing, pytest.raises(errors.StorageError, match=f"{path}: cannot") as caught:
        atomic_write(path, b"x")
    assert type(caught.value) is kind
    with (
        failing,
        pytest.raises(errors.StorageError, match=f"{path}: cannot") as caught,
        staged_files() as stage,
    ):
        stage(path, b"x")
    assert type(caught.value) is kind
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("fault", [ValueError, TypeError, KeyError, AttributeError])
def test_a_fault_of_the_program_is_no_damage(fault: type[Exception]) -> None:
    with pytest.raises(fault), sqlite_errors(Path("a.gallery")):
        raise fault("x")
