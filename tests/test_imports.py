"""Imports go one way: the layers of `pyproject.toml`, and no circles."""

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

SETTINGS = Path(__file__).parents[1] / "pyproject.toml"


def test_imports_go_one_way(capsys: pytest.CaptureFixture[str]) -> None:
    broken = lint_imports(str(SETTINGS), no_cache=True)
    assert not broken, capsys.readouterr().out
