"""Models of others: what they are given, and what becomes of what they say."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks.quality import baselines
from benchmarks.quality.__main__ import main
from benchmarks.quality.baselines import (
    BASELINES,
    baseline_path,
    framed,
    grey,
    judge_baselines,
    upright,
)
from benchmarks.quality.images import Images
from benchmarks.quality.plan import SCALES, Plan, Sources
from contrawarp_edge.core.errors import InputError


def test_points_lose_roll_scale_and_place() -> None:
    rng = np.random.default_rng(0)
    face = rng.normal(size=(478, 2))
    angle = 0.4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = 3 * face @ turn.T + [10, -4]
    one, other = upright(np.stack([face, moved]).astype(np.float32))
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert one[263, 1] == pytest.approx(one[33, 1], abs=1e-6)
    assert one[263, 0] > one[33, 0]
    assert np.square(one).sum() == pytest.approx(1, abs=1e-5)


def test_crops_are_given_as_the_models_want_them() -> None:
    crop = np.full((48, 48, 3), 255, np.uint8)
    crop[:, :24] = 0
    mesh = framed(crop)
    assert mesh.shape == (1, 256, 256, 3)
    assert (mesh.min(), mesh.max()) == (0, 1)
    small = grey(crop)
    assert small.shape == (1, 64, 64, 1)
    assert (small.min(), small.max()) == (-1, 1)


def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    pixels = torch.arange(24, dtype=torch.uint8).mul(10).view(24, 1, 1, 1)
    faces = Images(
        pixels.repeat(1, 1, 48, 48),
        torch.arange(24) // 12,
        ("happy", "anger"),
        torch.arange(24) % 12,
    )
    sets = ("train", "validation", "drawn_train", "drawn", "pairs")
    monkeypatch.setattr(baselines, "load_sets", lambda *_: dict.fromkeys(sets, faces))
    out = tmp_path / "out" / "smoke"
    out.mkdir(parents=True)
    return Plan(SCALES["smoke"], Sources(tmp_path), out)


def test_models_are_judged_and_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = plan(tmp_path, monkeypatch)
    called: list[Any] = []

    def interpreter(content: bytes, path: Path) -> Any:
        def mesh(value: np.ndarray) -> np.ndarray:
            called.append(value)
            return np.arange(1434, dtype=np.float32) ** 1.5 * (1 + value.mean())

        def shapes(value: np.ndarray) -> np.ndarray:
            assert value.shape == (1, 146, 2)
            return np.linspace(0, value.max(), 52, dtype=np.float32)

        def scores(value: np.ndarray) -> np.ndarray:
            bright = value.mean() > (110 / 127.5 - 1) + 1e-3
            return np.eye(7, dtype=np.float32)[[0 if bright else 3]]

        return {b"mesh": mesh, b"shapes": shapes, b"scores": scores}[content]

    monkeypatch.setattr(baselines, "_interpreter", interpreter)
    landmarker, xception = tmp_path / "faces.task", tmp_path / "x.tflite"
    with zipfile.ZipFile(landmarker, "w") as files:
        files.writestr("face_landmarks_detector.tflite", b"mesh")
        files.writestr("face_blendshapes.tflite", b"shapes")
    xception.write_bytes(b"scores")
    models = {"landmarker": landmarker, "xception": xception}
    judge_baselines(where, models)
    asked = len(called)
    results = [json.loads(baseline_path(where, one).read_text()) for one in BASELINES]
    scores = [result["scores"]["embedding"] for result in results]
    assert scores[2]["linear"] == 1
    assert scores[2]["pairs_expression"] == 1
    assert "drawn_linear" in scores[0]
    assert "pairs_person" in scores[1]
    judge_baselines(where, models)
    assert len(called) == asked


def test_what_is_missing_or_no_model_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = plan(tmp_path, monkeypatch)
    judge_baselines(where, {"landmarker": None})
    assert not any(where.out.iterdir())
    broken = tmp_path / "faces.task"
    broken.write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"faces\.task: no face_landmarker"):
        judge_baselines(where, {"landmarker": broken})
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match=r"needs ai-edge-litert; pip install"):
        judge_baselines(where, {"xception": broken})


def test_the_total_needs_the_time_of_a_run(tmp_path: Path) -> None:
    words = ["--data", str(tmp_path), "--total-minutes", "8"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "--total-minutes needs --minutes" in done.stderr
