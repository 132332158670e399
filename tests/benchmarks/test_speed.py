"""The speed benchmark: every part runs, and its numbers are what they say."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks.speed.__main__ import main
from benchmarks.speed.files import contenders as file_contenders
from benchmarks.speed.parts import NAMES
from benchmarks.speed.results import number, verdict
from benchmarks.speed.scale import SCALES
from benchmarks.speed.search import clustered, numpy_search, queries_near
from benchmarks.speed.start import installed_bytes, start
from benchmarks.speed.step import VARIANTS, LightlyByol
from benchmarks.speed.table import table_of_times
from benchmarks.speed.timing import Spread, limited_threads, race, ratio
from lightly_contrawarp.data.folders import ImageScan


def test_a_race_times_calls_in_turn() -> None:
    calls: list[str] = []

    def sleep(name: str, seconds: float) -> None:
        calls.append(name)
        time.sleep(seconds)

    times = race(
        {"slow": lambda: sleep("s", 0.02), "fast": lambda: sleep("f", 0.01)},
        seconds=0.0,
        rounds=4,
    )
    assert len(times["slow"]) == len(times["fast"]) == 4
    timed = calls[4:]  # two of each before
    assert all(set(timed[i : i + 2]) == {"s", "f"} for i in range(0, 8, 2))
    assert min(times["slow"]) >= 0.02
    assert 1.3 < ratio(times, "slow", "fast").median < 2.5


def test_quick_calls_are_repeated_and_give_the_time_of_one() -> None:
    times = race({"sleep": lambda: time.sleep(0.001)}, seconds=0.0, rounds=3)
    assert 0.001 <= min(times["sleep"]) < 0.004


def test_tables_have_the_quartiles_of_numpy() -> None:
    times = {"a": [1.0, 2.0, 4.0, 3.0], "b": [2.0, 2.0, 2.0, 2.0]}
    table = table_of_times("title", times, "b", per=10)
    quartiles = np.quantile([100.0, 200.0, 400.0, 300.0], [0.25, 0.5, 0.75])
    assert table.rows[0].value == pytest.approx(quartiles)
    assert table.rows[0].ratio == pytest.approx(np.divide(quartiles, 200))
    rates = table_of_times("title", times, "b", per=10, rate="views/s")
    assert rates.rows[1].value == Spread(5.0, 5.0, 5.0)
    assert rates.unit == "views/s"


def test_threads_are_limited_and_given_back() -> None:
    before = torch.get_num_threads()
    with limited_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_floor_of_the_search_is_right() -> None:
    vectors = clustered(500)
    asked = queries_near(vectors, 3)
    found = numpy_search(vectors, asked)
    expected = np.argsort(-(asked @ vectors.T), axis=1)[:, :10]
    assert np.array_equal(found, expected)


def test_a_started_process_reports_its_own_memory(tmp_path: Path) -> None:
    work = "block = bytearray({}) * 200_000_000"
    empty, full = (
        start(work.format(f"b'{content}'"), tmp_path, tmp_path, tmp_path)
        for content in ("", "x")
    )
    assert empty[1] < 100e6
    assert 200e6 < full[1] < 300e6
    assert empty[0] < 20


def test_what_is_installed_includes_what_is_required() -> None:
    assert installed_bytes("contrawarp-edge") > installed_bytes("onnxruntime") > 1e7
    torch_too = installed_bytes("lightly-contrawarp")
    assert torch_too > installed_bytes("contrawarp-edge") + 1e8


def test_lightly_byol_trains_all_its_parts() -> None:
    model = LightlyByol("small")
    model.loss(list(torch.randn(2, 4, 3, 32, 32))).backward()
    assert all(p.grad is not None for m in model.trained() for p in m.parameters())
    assert all(p.grad is None for p in model.backbone_momentum.parameters())
    assert any("K=4" in name for name in VARIANTS)


def test_verdicts_and_numbers() -> None:
    target = {"measured": 24.9, "wanted": 25, "at_least": True}
    assert verdict(target) == "**not reached**"
    assert verdict({**target, "at_least": False}) == "reached"
    assert [number(x) for x in (1234.5, 12.34, 0.01234)] == ["1,234", "12.3", "0.0123"]


def test_epochs_go_through_the_same_files(face_folder: Path, tmp_path: Path) -> None:
    scan = ImageScan(sorted(face_folder.rglob("*.png"))[:8], [])
    calls = file_contenders(scan, tmp_path, SCALES["smoke"], "cpu", 0)
    assert [len(list(call())) for call in calls.values()] == [2, 2, 2, 2]  # type: ignore[call-overload]


@pytest.mark.slow
def test_smoke(tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(main, ["--smoke", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "smoke"
    found = {path.name.partition("-")[0] for path in folder.glob("*-cpu.json")}
    assert found == set(NAMES)
    text = (folder / "RESULTS.md").read_text()
    started = json.loads((folder / "start-cpu.json").read_text())["tables"][0]
    shown = number(started["rows"][1]["value"][1])
    assert f"| exported, from then on | {shown} (" in text
    if not torch.cuda.is_available():
        assert text.count("Not measured: no GPU.") == 4
        assert text.count("| not measured: no GPU |") == 4
    assert (folder / "growth.svg").read_text().startswith("<?xml")
    again = runner.invoke(main, ["--smoke", "--results-only", "--out", str(tmp_path)])
    assert again.exit_code == 0
    assert (folder / "RESULTS.md").read_text() == text


def test_bad_options(tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(main, ["--only", "warp,speed", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "--only speed: no such part; there are warp, views" in done.stderr
    done = runner.invoke(main, ["--results-only", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "no result to write about" in done.stderr
