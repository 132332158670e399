"""The speed benchmark: every part runs, and its numbers are what they say."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks.speed.__main__ import main
from benchmarks.speed.growth import Line, Panel, panels_of, summarise
from benchmarks.speed.parts import NAMES, read_results
from benchmarks.speed.plot import plot_growth, short, styles_of
from benchmarks.speed.races.files import contenders as file_contenders
from benchmarks.speed.races.search import clustered, numpy_search, queries_near
from benchmarks.speed.races.start import AGAIN, WITH_TORCH, installed_bytes, start
from benchmarks.speed.races.start import tables as start_tables
from benchmarks.speed.races.step import BYOL, FACE, PAIRED, LightlyByol
from benchmarks.speed.races.step import contenders as step_contenders
from benchmarks.speed.races.step import table_of as step_table
from benchmarks.speed.results import growths_of, verdict
from benchmarks.speed.scale import SCALES, middle, worker_counts
from benchmarks.speed.table import BOUND, OTHER, OURS, Growth, table_of_times
from benchmarks.speed.timing import Spread, limited_threads, race, ratio
from benchmarks.wording import number
from helpers import Clock
from lightly_contrawarp.data.folders import ImageScan


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("benchmarks.speed.timing.time", clock)
    return clock


def test_a_race_times_calls_in_turn(clock: Clock) -> None:
    calls: list[str] = []

    def work(name: str, seconds: float) -> None:
        calls.append(name)
        clock.sleep(seconds)

    times = race(
        {"slow": lambda: work("s", 0.02), "fast": lambda: work("f", 0.01)},
        seconds=0.0,
        rounds=4,
    )
    assert len(times["slow"]) == len(times["fast"]) == 4
    timed = calls[4:]  # two of each before
    assert all(set(timed[i : i + 2]) == {"s", "f"} for i in range(0, 8, 2))
    assert times["slow"] == pytest.approx([0.02] * 4)
    assert ratio(times, "slow", "fast").median == pytest.approx(2)


def test_quick_calls_are_repeated_and_give_the_time_of_one(clock: Clock) -> None:
    times = race({"quick": lambda: clock.sleep(0.001)}, seconds=0.0, rounds=3)
    assert times["quick"] == pytest.approx([0.001] * 3)
    assert clock.now == pytest.approx(0.001 * (2 + 3 * 4))  # samples of 4 ms


def test_a_race_goes_on_for_as_long_as_it_should(clock: Clock) -> None:
    times = race({"one": lambda: clock.sleep(0.01)}, seconds=0.995, rounds=3)
    assert len(times["one"]) == 100


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
    assert empty[0] > 0


def test_what_is_installed_includes_what_is_required() -> None:
    assert installed_bytes("contrawarp-edge") > installed_bytes("onnxruntime") > 1e7
    torch_too = installed_bytes("lightly-contrawarp")
    assert torch_too > installed_bytes("contrawarp-edge") + 1e8


def test_lightly_byol_trains_all_its_parts() -> None:
    model = LightlyByol("small")
    model.loss(list(torch.randn(2, 4, 3, 32, 32))).backward()
    assert all(p.grad is not None for m in model.trained() for p in m.parameters())
    assert all(p.grad is None for p in model.backbone_momentum.parameters())


def table(at: float, seconds: dict[str, float], panel: str = "8 px") -> dict[str, Any]:
    times = {name: [value] for name, value in seconds.items()}
    return asdict(
        table_of_times(
            "title", times, next(iter(times)), roles={"other": OTHER},
            growth=[Growth(panel, "images", at)],
        )
    )  # fmt: skip


def test_growth_of_powers_and_of_lines() -> None:
    power = summarise([(x, 3 * x**0.7) for x in (64, 1, 8)], doubles=True)
    assert power[:2] == (1, 64)
    assert power[2:4] == pytest.approx((3, 3 * 64**0.7))
    assert power[4:] == pytest.approx([2**0.7] * 3)
    line = summarise([(0, 5), (1, 7), (4, 13)], doubles=False)
    assert line[4:] == pytest.approx([2, 2, 2])


def test_bent_growth_is_told_by_its_ends() -> None:
    bent = summarise([(1, 1), (2, 1), (4, 4)], doubles=True)
    assert bent[5:] == pytest.approx((1, 4))
    assert bent.fitted == pytest.approx(2)  # 0, 0, 2 against 0, 1, 2 in logarithms
    steps = summarise([(0, 0), (1, 1), (2, 5)], doubles=False)
    assert steps[4:] == pytest.approx((2.5, 1, 4))


def test_panels_have_what_was_measured_at_several_sizes() -> None:
    tables = [
        table(4, {"ours": 0.2, "of it: half": 0.1, "other": 1.0}),
        table(1, {"ours": 0.3, "other": 1.0, "now and then": 2.0}),
        table(1, {"ours": 0.3}, panel="16 px"),
    ]
    (panel,) = panels_of(tables)
    assert (panel.title, panel.axis, panel.unit) == ("8 px", "images", "ms an image")
    assert panel.lines == [
        Line("ours", OURS, [(1, 300), (4, 200)]),
        Line("other", OTHER, [(1, 1000), (4, 1000)]),
        Line("now and then", OURS, [(1, 2000)]),
    ]
    assert panel.doubles
    # What stays as it is, or has one size, does not grow.
    assert [name for name, _ in panel.summaries] == ["ours"]
    assert not Panel("", "", "", [Line("", OURS, [(0, 1), (1, 2)])]).doubles


def test_contenders_keep_their_colour_and_share_none() -> None:
    lines = [Line(f"{role} {n}", role) for n in (0, 1) for role in (OURS, OTHER, BOUND)]
    styles = styles_of([Panel("", "", "", lines[:4]), Panel("", "", "", lines[2:])])
    assert set(styles) == {line.name for line in lines}
    assert len({style["color"] for style in styles.values()}) == len(lines)
    assert styles["bound 0"]["linestyle"] != styles["ours 0"]["linestyle"]


def test_plot_names_axes_units_and_contenders() -> None:
    lines = [Line("ours", OURS, [(0, 1.0), (2, 3.0)]), Line("x", OTHER, [(2, 9.0)])]
    panel = Panel("8 px", "workers", "images/s", lines)
    text = plot_growth({"Files, CPU": [panel] * 4}).decode()
    for said in ("Files, CPU", "8 px", "workers", "images/s (more is better)", "ours"):
        assert f">{said}</text>" in text
    assert [short(x) for x in (0, 0.25, 64, 1000, 200_000, 1e6)] == [
        "0", "0.25", "64", "1k", "200k", "1M"
    ]  # fmt: skip


def test_started_processes_grow_with_the_file() -> None:
    runs = {AGAIN: [(0.5, 80e6)], WITH_TORCH: [(5.0, 900e6)]}
    installed = {"contrawarp-edge": "178 MB", "lightly-contrawarp": "5 GB"}
    both = [
        [asdict(table) for table in start_tables("net", size, runs, installed)]
        for size in (4.0, 45.0)
    ]
    seconds, memory = panels_of([*both[0], *both[1]])
    assert (seconds.unit, memory.unit) == ("s", "MB")
    assert seconds.sizes == memory.sizes == [4.0, 45.0]
    assert memory.lines[1] == Line(WITH_TORCH, OTHER, [(4.0, 900.0), (45.0, 900.0)])


def test_sizes_that_stay_and_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert middle((1, 8, 64, 256)) == 64
    for cores, counts in ((1, [0, 1]), (2, [0, 1, 2]), (6, [0, 1, 2, 4, 6])):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert worker_counts(16) == counts
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert worker_counts(16) == [0, 1, 2, 4, 8, 16]
    assert worker_counts(3) == [0, 1, 2, 3]


def test_a_race_of_steps_is_told_by_negatives() -> None:
    calls = step_contenders("small", 2, (0, 2), "cpu")
    assert list(calls) == [
        BYOL,
        *(f"{x}, K={k}" for k in (0, 2) for x in (FACE, PAIRED)),
    ]
    times = {name: [float(number)] for number, name in enumerate(calls, 1)}
    got = step_table(SCALES["smoke"], 4, 2, times, "cpu")
    assert [row.name for row in got.rows] == [BYOL, FACE, PAIRED]
    assert [row.value.median for row in got.rows] == [1000, 4000, 5000]
    assert got.rows[2].ratio == Spread(5.0, 5.0, 5.0)
    assert got.growth == [Growth("4 images", "negatives of an image, K", 2)]
    for call in calls.values():
        call()


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
    plot = (folder / "growth.svg").read_text()
    assert plot.startswith("<svg")
    growths = growths_of(read_results(folder))
    grown = {title.partition(",")[0] for title in growths}
    assert len(grown) == len(NAMES) - 1  # one process is started: nothing grows
    for title, panels in growths.items():
        assert f"\n### {title}\n" in text
        for panel in panels:
            assert f">{panel.axis}</text>" in plot
            for name, summary in panel.summaries:
                assert f"| {name} | {number(summary.first)} at " in text
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
