"""What a measurement was made with."""

from importlib.metadata import version

import pytest

from lightly_contrawarp.evaluation import versions as module
from lightly_contrawarp.evaluation.versions import versions


def test_versions_are_those_of_what_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert versions()["kornia"] == version("kornia")
    monkeypatch.setattr(module, "_PACKAGES", ("torch", "no-such-package"))
    assert versions().keys() == {"python", "torch"}
