""".ci/run: what is missing is installed where that can be done, and tests are run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("dirname", "timeout", "sleep")

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("sh", *TOOLS))), reason="needs sh and coreutils"
)


def run(folder: Path, **programs: str) -> list[str]:
    """Runs it where only some programs are; returns what it said."""
    for name in TOOLS:
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, script in {"make": 'echo "make $*, $PWD"', **programs}.items():
        (folder / name).write_text(f"#!{shutil.which('sh')}\n{script}\n")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        [str(shutil.which("sh")), ROOT / ".ci" / "run"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": str(folder)},
        cwd=folder,
    )
    *lines, last = done.stdout.splitlines()
    assert (done.returncode, last) == (0, f"make test test-slow, {ROOT}")
    return lines


def test_what_is_missing_is_installed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    said = run(tmp_path, id="echo 0", **{"apt-get": f'echo "$*" >> {log}'})
    assert said == ["== Installing chromium", "== Installing npm"]
    update, *installs = log.read_text().splitlines()
    assert update == "update -qq"
    assert [line.split()[0] for line in installs] == ["install", "install"]
    assert [line.split()[-1] for line in installs] == ["chromium", "npm"]


@pytest.mark.parametrize("failure", ["exit 100", "kill -9 $$"])
def test_tests_are_run_even_if_nothing_can_be_installed(
    failure: str, tmp_path: Path
) -> None:
    said = run(tmp_path, id="echo 0", **{"apt-get": failure})
    assert "== chromium could not be installed; tests that need it are skipped" in said


def test_nothing_is_installed_that_is_there_or_by_others_than_root(
    tmp_path: Path,
) -> None:
    there, others = tmp_path / "there", tmp_path / "others"
    there.mkdir()
    others.mkdir()
    log = tmp_path / "log"
    apt = {"apt-get": f"echo >> {log}"}
    assert run(there, id="echo 0", npm="", **{"google-chrome": ""}, **apt) == []
    assert run(others, id="echo 1000", **apt) == []
    assert not log.exists()
