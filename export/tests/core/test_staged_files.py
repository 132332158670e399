"""Several files that appear together or not at all."""

from pathlib import Path

import pytest

from contrawarp_edge import InputError
from contrawarp_edge.core.files import staged_files


def test_files_appear_when_the_block_ends(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("old")
    (tmp_path / ".b.draft").write_text("left by a killed run")
    with staged_files() as stage:
        waiting = stage(first, b"new")
        assert waiting.read_bytes() == b"new"
        assert stage(second, b"two").read_bytes() == b"two"
        assert first.read_text() == "old"
        assert not second.exists()
    assert first.read_text() == "new"
    assert second.read_text() == "two"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_a_failure_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def interrupted() -> None:
        with staged_files() as stage:
            stage(path, b"new")
            stage(tmp_path / "b", b"two")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert path.read_text() == "old"


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a"
    with (
        pytest.raises(InputError, match="none/a: cannot be written: No such file"),
        staged_files() as stage,
    ):
        stage(path, b"new")
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(InputError, match="folder: cannot be written: Is a directory"),
        staged_files() as stage,
    ):
        stage(tmp_path / "folder", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
