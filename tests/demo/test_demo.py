"""The demo, made small: what it leaves, what it skips, what it says."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contrawarp_edge import Embedder, Gallery
from helpers import one_line_error
from lightly_contrawarp.cli import main
from lightly_contrawarp.demo.report import judge, judge_search
from lightly_contrawarp.evaluation.statistics.intervals import Estimate

SIZE = ("--faces", "140", "--test-faces", "70", "--epochs")


def demo(out: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["demo", "--out", str(out), *options])


@pytest.mark.slow
def test_runs_the_whole_line_and_does_nothing_twice(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    first = demo(out, *SIZE, "1")
    assert first.exit_code == 0, first.output
    assert re.search(r"Linear probe on unseen identities: \d", first.output)
    assert re.search(r"ten nearest: \d.* taught by labels, 1\d\.\d% by", first.output)
    scores = json.loads((out / "scores.json").read_text())
    assert [*scores] == ["last.ckpt", "model.onnx", "small, random"]
    assert len(Embedder(out / "model.onnx").info.classes) == 7
    with Gallery.open(out / "faces.gallery", readonly=True) as gallery:
        assert len(gallery) == 70
    page = (out / "report.html").read_text()
    assert page.count("data:image/png") == 1
    assert page.count("data:image/jpeg") == 7 * 9
    assert page.count("<svg") == 1
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    stamps = {
        path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()
    }
    second = demo(out, *SIZE, "1")
    assert second.output.count("done already") == 5
    changed = {p.name for p, stamp in stamps.items() if p.stat().st_mtime_ns != stamp}
    assert changed <= {"report.html", "demo.json"}
    one_line_error(demo(out, *SIZE, "2"), "holds a demo with")


def test_does_not_go_on_with_what_an_earlier_version_left(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text('{"faces": 6000, "test_faces": 2100}')
    one_line_error(demo(tmp_path), "holds a demo of another version; delete it, or")


def test_does_not_write_into_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    one_line_error(demo(tmp_path), "is not empty and holds no demo")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("trained", "verdict"),
    [(0.55, "as expected"), (0.38, "less than the 10% expected")],
)
def test_says_so_when_it_falls_short(trained: float, verdict: str) -> None:
    sentence = judge(trained, 0.3)
    assert verdict in sentence
    assert f"{trained:.1%} after pre-training, 30.0% untrained" in sentence


@pytest.mark.parametrize(
    ("taught", "verdict"),
    [(0.61, "as expected"), (0.3, "less than the 45% expected")],
)
def test_says_so_when_the_search_falls_short(taught: float, verdict: str) -> None:
    before, after = (Estimate(one, (0.0, 1.0), 0.14) for one in (0.25, taught))
    sentence = judge_search(before, after)
    assert verdict in sentence
    assert "25.0% with the expression" in sentence
    assert f"{taught:.1%} taught by labels, 14.0% by chance" in sentence
