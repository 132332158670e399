"""contrawarp pretrain --preset: what wins over what, and what a run stores."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from helpers import one_line_error, read, run_pretrain
from lightly_contrawarp.cli import main
from lightly_contrawarp.models.presets import PRESETS, preset
from lightly_contrawarp.training.settings import PretrainSettings

SMALL = ("--backbone", "small")


def stored(out: Path) -> dict[str, Any]:
    settings = json.loads((out / "settings.json").read_text())
    assert isinstance(settings, dict)
    return settings


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_runs_and_is_stored(
    name: str, face_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = run_pretrain(face_folder, out, *SMALL, "--preset", name)
    assert result.exit_code == 0, result.output
    settings, wanted = stored(out), preset(name)
    names = ["action_weight", "pairing", "warp", "contrast", "negatives_from"]
    for field in [*names, "positive_weight", "negative_weight"]:
        assert settings[field] == getattr(wanted, field)
        assert read(out)["hyper_parameters"][field] == getattr(wanted, field)
    assert "preset" not in settings


def test_options_that_are_given_win(face_folder: Path, tmp_path: Path) -> None:
    """Also those that are given as their defaults."""
    out = tmp_path / "run"
    default = PretrainSettings().pairing
    given = ("--preset", "two-views", "--pairing", default, "--action-weight", 0.5)
    result = run_pretrain(face_folder, out, *SMALL, *given)
    assert result.exit_code == 0, result.output
    settings = stored(out)
    assert (settings["pairing"], settings["action_weight"]) == (default, 0.5)
    assert settings["negative_weight"] == settings["positive_weight"] == 0


def test_a_preset_that_there_is_not(tmp_path: Path) -> None:
    result = run_pretrain(tmp_path, tmp_path / "run", "--preset", "simclr")
    assert result.exit_code == 2
    *_, last = result.stderr.splitlines()
    assert last.startswith(
        "Error: Invalid value for '--preset': 'simclr' is not one of"
    )
    text = CliRunner().invoke(main, ["pretrain", "--help"]).output
    assert all(name in text for name in PRESETS)


def test_a_resumed_run_keeps_its_settings(face_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ("--preset", "byol", "--lr", 0.001)
    assert run_pretrain(face_folder, out, *SMALL, *options).exit_code == 0
    before = stored(out)
    words = ["pretrain", str(face_folder), "--out", str(out), "--resume"]
    again = CliRunner().invoke(main, [*words, "--epochs", "2", "--workers", "0"])
    assert again.exit_code == 0, again.output
    assert read(out)["global_step"] == 6
    assert stored(out) == before
    changed = ("--resume", "--epochs", 2, "--preset", "two-views")
    other = run_pretrain(face_folder, out, *SMALL, *changed)
    one_line_error(other, "was started with ")
