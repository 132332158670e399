"""The int8 benchmark: what is trained once, what is chosen, and what is written."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner

from benchmarks import facts
from benchmarks.int8 import measuring, training
from benchmarks.int8.__main__ import main
from benchmarks.int8.measuring import BOTH, FP32, WEIGHTS
from benchmarks.int8.results import verdicts, write_results
from benchmarks.int8.scale import FULL, SMOKE, Encoder
from benchmarks.int8.training import draw_images, train
from benchmarks.wording import number
from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.folders import ImageScan
from lightly_contrawarp.export.int8.calibration import draw_sample
from lightly_contrawarp.training.pretrain import PretrainResult


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("fpu avx2 avx512f avx512_vnni", "AVX512-VNNI"),
        ("fpu avx_vnni avx2", "AVX-VNNI"),
        ("avx_vnni avx512_vnni", "AVX512-VNNI, AVX-VNNI"),
        ("fpu avx2 avx_vnni_int8", "none, no VNNI"),
        (None, "unknown"),
    ],
)
def test_instructions_of_the_processor(
    flags: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    if flags is not None:
        core = f"processor\t: 0\nmodel name\t: Fast 1: x\nflags\t\t: {flags}\n\n"
        file.write_text(core + core.replace("Fast", "Slow"))
    monkeypatch.setattr(facts, "_CPUINFO", file)
    assert facts.vnni() == said
    if flags is not None:
        assert facts.hardware()["cpu"] == "Fast 1: x"


@pytest.mark.parametrize(("name", "value"), [("PATH", ""), ("GIT_DIR", "/none")])
def test_a_copy_without_git_has_no_version(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert facts.commit() == "unknown"


def test_images_are_drawn_once_and_always_the_same(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for index in range(40):
        path = source / "ab"[index % 2] / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(index))
    first, second = (
        draw_images(source, 10, tmp_path / name) for name in ("one", "two")
    )
    drawn = [path.read_text() for path in sorted(first.iterdir())]
    assert len(set(drawn)) == 10
    assert drawn == [path.read_text() for path in sorted(second.iterdir())]
    ordered = [path.read_text() for path in sorted(source.rglob("*.jpg"))]
    assert drawn != ordered[:10]
    (source / "a" / "0.jpg").unlink()
    assert draw_images(source, 10, first) == first
    assert drawn == [path.read_text() for path in sorted(first.iterdir())]
    assert len(list(draw_images(source, 100, tmp_path / "all").iterdir())) == 39


def test_a_finished_encoder_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[bool] = []

    def pretrain(folder: Path, out: Path, settings: Any, **options: Any) -> Any:
        resumed.append(options["resume"])
        out.mkdir(exist_ok=True)
        (out / "last.ckpt").touch()
        if len(resumed) == 1:
            raise KeyboardInterrupt
        scan = ImageScan([folder] * 70, [])
        return PretrainResult(out / "last.ckpt", scan, out / "skipped.tsv")

    monkeypatch.setattr(training, "pretrain", pretrain)
    out, scale = tmp_path / "out", SMOKE._replace(epochs=3)
    with pytest.raises(KeyboardInterrupt):
        train(Encoder("small", 48), scale, tmp_path, out)
    first = train(Encoder("small", 48), scale, tmp_path, out)
    assert first["steps"] == 3 * (70 // 32)
    assert first == train(Encoder("small", 48), scale, tmp_path, out)
    assert resumed == [False, True]
    with pytest.raises(InputError, match="trained in another way; delete it"):
        train(Encoder("small", 32), scale, tmp_path, out)
    with pytest.raises(InputError, match="trained in another way; delete it"):
        train(Encoder("small", 48), scale._replace(epochs=4), tmp_path, out)


def test_the_full_benchmark_trains_long_enough() -> None:
    names = {encoder.backbone for encoder in FULL.encoders}
    assert {"small", "resnet18", "mobilenet_v3_small", "mobilenet_v3_large"} == names
    assert FULL.epochs * (FULL.images // FULL.batch_size) >= 150


def result(both: float, weights: float, chosen: str, refused: bool) -> dict[str, Any]:
    models = {
        kind: {"agreement": {"overlap": {"value": value}}}
        for kind, value in ((BOTH, both), (WEIGHTS, weights))
    }
    return {
        "encoder": {"backbone": "small"},
        "models": models,
        "chosen": chosen,
        "refused": refused,
    }


def test_verdicts_say_what_the_command_does() -> None:
    first, second, third = verdicts(
        [
            result(0.961, 0.98, BOTH, False),
            result(0.94, 0.97, WEIGHTS, False),
            result(0.5, 0.6, WEIGHTS, True),
        ]
    )
    assert "writes 8-bit weights and activations; 96.1 % shared" in first
    assert first.endswith("98.0 % with 8-bit weights alone.")
    assert "writes 8-bit weights; 94.0 % shared" in second
    assert "refuses 8 bits; 50.0 % shared" in third


@pytest.mark.slow
@pytest.mark.usefixtures("convert_once")
def test_smoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightly_contrawarp.export.int8.speed._SECONDS", 0.0)
    monkeypatch.setattr("lightly_contrawarp.export.int8.speed._MIN_ROUNDS", 3)
    runner = CliRunner()
    done = runner.invoke(main, ["--smoke", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "smoke"
    measured = json.loads((folder / "small" / "measured.json").read_text())
    models = measured["models"]
    assert list(models[FP32]["speed"][0]["times_as_fast"]) == [1, 1, 1]
    for kind in (BOTH, WEIGHTS):
        assert models[kind]["bytes"] < 0.4 * models[FP32]["bytes"]
        assert [speed["batch"] for speed in models[kind]["speed"]] == [1, 32]
    shared = models[BOTH]["agreement"]["overlap"]["value"]
    assert measured["chosen"] == (BOTH if shared >= 0.95 else WEIGHTS)
    text = (folder / "RESULTS.md").read_text()
    assert text.count(", **chosen**") == (not measured["refused"])
    for kind, model in models.items():
        (row,) = [x for x in text.splitlines() if x.startswith("| `small`")
                  and f"| {'none (fp32)' if kind == FP32 else kind}" in x
                  and (kind != WEIGHTS or BOTH not in x)]  # fmt: skip
        assert f"| {number(model['bytes'] / 1e6)} |" in row
        assert f"| {100 * model['probe']['accuracy']:.1f} (" in row
        if kind != FP32:
            value = 100 * model["agreement"]["overlap"]["value"]
            assert f"| {value:.1f} (" in row
            assert f"| {number(model['speed'][1]['times_as_fast'][1])} (" in row
    again = runner.invoke(main, ["--smoke", "--results-only", "--out", str(tmp_path)])
    assert again.exit_code == 0
    assert (folder / "RESULTS.md").read_text() == text

    # Whichever the command writes, each file holds what it is taken for.
    chosen = measured["chosen"]
    other = BOTH if chosen == WEIGHTS else WEIGHTS
    run = folder / "small"
    names = {FP32: "model.onnx", chosen: "model.int8.onnx", other: "passed_over.onnx"}
    assert_holds({kind: run / name for kind, name in names.items()})
    for kind, name in names.items():
        assert (run / name).stat().st_size == models[kind]["bytes"]
    enough = -1.0 if other == BOTH else 1.1
    monkeypatch.setattr("lightly_contrawarp.export.int8.build.ENOUGH_OVERLAP", enough)
    sample = draw_sample(folder / "drawn" / "validation")
    report, paths = measuring._export(run / "last.ckpt", sample, run)
    assert report.to_dict()["quantized"] == other
    assert paths[other].name == "model.int8.onnx"
    assert_holds(paths)


def assert_holds(paths: dict[str, Path]) -> None:
    """Only 8-bit activations are quantised while the model runs."""
    for kind, path in paths.items():
        model = onnx.load(path)
        operations = {node.op_type for node in model.graph.node}
        assert ("QuantizeLinear" in operations) == (kind == BOTH)
        types = {weight.data_type for weight in model.graph.initializer}
        assert (onnx.TensorProto.INT8 in types) == (kind != FP32)


def test_bad_options(tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(main, ["--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "give --data FER2013" in done.stderr
    done = runner.invoke(main, ["--data", str(tmp_path / "no"), "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "no such file or folder" in done.stderr
    done = runner.invoke(main, ["--results-only", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "no result to write about" in done.stderr
    with pytest.raises(InputError, match="no result to write about"):
        write_results(FULL, tmp_path, tmp_path)
