"""The package itself imports nothing heavy, and has its names all the same."""

import subprocess
import sys

import pytest

import lightly_contrawarp


def test_every_public_name_is_there() -> None:
    for name in lightly_contrawarp.__all__:
        assert getattr(lightly_contrawarp, name).__name__ == name
    assert {*lightly_contrawarp.__all__, "__version__"} <= {*dir(lightly_contrawarp)}
    assert lightly_contrawarp.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'ContraWarped'"):
        _ = lightly_contrawarp.ContraWarped


def test_it_is_imported_at_once() -> None:
    program = (
        "import sys, lightly_contrawarp as package; package.Contrast; "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
