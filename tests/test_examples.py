"""Each example runs as it is, but for a smaller size."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALLER = (
    ("num_faces=512, num_identities=64", "num_faces=24, num_identities=3"),
    ("batch_size=64", "batch_size=6"),
    ("num_workers=4", "num_workers=1"),
)


def copy(name: str, tmp_path: Path, *replacements: tuple[str, str]) -> Path:
    """Copies an example with some of its text replaced."""
    source = (EXAMPLES / name).read_text()
    for old, new in replacements:
        assert source.count(old) == 1, f"{name}: {old} has changed; adapt this test"
        source = source.replace(old, new)
    script = tmp_path / "example.py"
    script.write_text(source)
    return script


def run(
    name: str, tmp_path: Path, *replacements: tuple[str, str], arguments: object = ()
) -> subprocess.CompletedProcess[str]:
    """Runs a copy of an example as a user does."""
    script = copy(name, tmp_path, *replacements)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, script, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    return done


IS = "(?:=|: )"  # Lightning's bar is another where Rich is installed


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_pytorch(tmp_path: Path) -> None:
    smaller = (*SMALLER, ("epochs = 10", "epochs = 1"))
    done = run("pytorch/contrawarp.py", tmp_path, *smaller)
    start, epoch = done.stdout.splitlines()
    assert start == "Starting Training"
    assert re.fullmatch(r"epoch: 00, loss: -?\d+\.\d{5}", epoch)


def test_pytorch_lightning(tmp_path: Path) -> None:
    smaller = (*SMALLER, ("max_epochs = 10", "max_epochs = 1"))
    done = run("pytorch_lightning/contrawarp.py", tmp_path, *smaller)
    assert "`Trainer.fit` stopped: `max_epochs=1` reached." in done.stderr
    assert re.search(
        rf" 4/4 .*loss{IS}-?\d+\.\d+,? action{IS}\d", one_line(done.stdout)
    )


def test_pytorch_lightning_distributed(tmp_path: Path) -> None:
    smaller = (*SMALLER, ("max_epochs=10", "max_epochs=1"))
    done = run("pytorch_lightning_distributed/contrawarp.py", tmp_path, *smaller)
    assert "All distributed processes registered. Starting with 2" in done.stderr
    assert "`Trainer.fit` stopped: `max_epochs=1` reached." in done.stderr
    assert re.search(rf" 2/2 .*loss{IS}-?\d+\.\d+", one_line(done.stdout))


def test_a_folder_of_ones_own(
    face_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    smaller = (
        SMALLER[1],
        ("num_workers=4", "num_workers=0"),
        ("epochs = 10", "epochs = 1"),
    )
    script = copy("pytorch/contrawarp.py", tmp_path, *smaller)
    monkeypatch.setattr(sys, "argv", [str(script), str(face_folder)])
    runpy.run_path(str(script))  # imports what was imported already
    out = capsys.readouterr().out
    assert re.search(r"^epoch: 00, loss: -?\d+\.\d{5}$", out, re.MULTILINE)


def test_edge_search(
    face_folder: Path, small_export: tuple[Path, Result], tmp_path: Path
) -> None:
    query, broken = face_folder / "b" / "07.png", face_folder / "b" / "09.png"
    broken.write_bytes(b"no image")
    done = run(
        "edge/search.py", tmp_path, arguments=[small_export[0], face_folder, query]
    )
    skipped, *lines = done.stdout.splitlines()
    assert skipped.startswith(f"skipped {broken}: ")
    ranks, scores, paths = zip(*(line.split() for line in lines), strict=True)
    assert ranks == tuple(str(rank) for rank in range(1, 11))
    assert (scores[0], paths[0]) == ("1.000", str(query))
    assert list(scores) == sorted(scores, reverse=True)
    assert len(set(paths)) == 10
