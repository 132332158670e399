"""Numbers that make no sense end in one line; so does a run that diverges."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from helpers import one_line_error, run_pretrain
from lightly_contrawarp import ContraWarp
from lightly_contrawarp.loss.contrawarp_loss import LossTerms

SMALL = ("--backbone", "small")
BYOL = ("--positive-weight", 1, "--negative-weight", 0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *((name, value) for name in ("--lr", "--temperature") for value in ("nan", 0)),
        ("--lr", "inf"),
        ("--temperature", 1e-9),
        ("--lr", -1),
        ("--positive-weight", "nan"),
        ("--negative-weight", "inf"),
        ("--neighbours", "nan"),
        ("--seed", 2**32),
        ("--input-size", 10**6),
        ("--num-negatives", 10**6),
        ("--batch-size", 1),
        ("--epochs", 0),
    ],
)
def test_a_number_out_of_range(option: str, value: object, tmp_path: Path) -> None:
    result = run_pretrain(tmp_path, tmp_path / "run", option, value)
    assert result.exit_code == 2, result.output
    *_, last = result.stderr.splitlines()
    assert last.startswith(f"Error: Invalid value for '{option}': ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--positive-weight", 0, "--negative-weight", 0, "--action-weight", 0),
            "--positive-weight, --negative-weight or --action-weight has to be above 0",
        ),
        (
            ("--warp", "bumps"),
            "--warp 'bumps' has no actions to predict: set --action-weight to 0, or "
            "leave --warp at 'actions'",
        ),
        (
            ("--preset", "paper", "--warp", "actions", "--negatives-from", "batch"),
            "--contrast 'target' needs --negatives-from 'face'",
        ),
        (
            ("--preset", "two-views", "--negative-weight", 1, "--num-negatives", 3),
            "--pairing 'single' makes positives of two views only: set --num-negatives "
            "to 1, or --positive-weight and --negative-weight to 0",
        ),
        (
            ("--preset", "two-views", "--num-negatives", 0),
            "--pairing 'single' needs --num-negatives of 1 or more",
        ),
        (
            ("--num-negatives", 0, "--negatives-from", "face", "--positive-weight", 0),
            "nothing is left to learn: without negatives, --positive-weight has to be "
            "above 0, or --negatives-from 'batch'",
        ),
        (("--contrast", "target"), "--contrast 'target' needs --negatives-from 'face'"),
        (
            ("--num-negatives", 0, "--contrast", "target"),
            "--contrast 'target' needs --negatives-from 'face'",
        ),
        (
            ("--num-negatives", 0, "--contrast", "target", *BYOL),
            "--contrast 'target' needs --negatives-from 'face'",
        ),
        (
            ("--pairing", "unpaired", "--negative-weight", 1),
            "--pairing 'unpaired' needs --negatives-from 'face', or --negative-weight "
            "0",
        ),
    ],
)
def test_numbers_that_cannot_be_met(
    options: tuple[object, ...], message: str, face_folder: Path, tmp_path: Path
) -> None:
    result = run_pretrain(face_folder, tmp_path / "run", *SMALL, *options)
    one_line_error(result, message)
    assert not (tmp_path / "run").exists()


class OneSize(nn.Module):
    """As vision transformers are."""

    def forward(self, images: Tensor) -> Tensor:
        torch._assert(images.shape[-1] == 224, "Wrong image height! Expected 224")
        return images


@pytest.mark.parametrize(
    ("encoder", "reason"),
    [(OneSize(), "Wrong image height! Expected 224"), (nn.Conv2d(3, 4, 64), "64 x 64")],
)
def test_images_that_a_backbone_does_not_take(
    encoder: nn.Module,
    reason: str,
    face_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = "lightly_contrawarp.models.contrawarp.build_backbone"
    monkeypatch.setattr(module, lambda name: (encoder, 4))
    result = run_pretrain(face_folder, tmp_path / "run", *SMALL)
    one_line_error(result, "backbone small takes no images of 32 pixels (")
    assert reason in result.stderr
    assert "give another --input-size" in result.stderr


def test_a_run_that_diverges_keeps_what_was_good(
    face_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    assert run_pretrain(face_folder, out, *SMALL).exit_code == 0
    before = (out / "last.ckpt").read_bytes()
    terms_of = ContraWarp.terms

    def overflows(self: ContraWarp, views: Any) -> tuple[Tensor, LossTerms]:
        features, terms = terms_of(self, views)
        return features, terms._replace(loss=terms.loss * float("nan"))

    monkeypatch.setattr(ContraWarp, "terms", overflows)
    result = run_pretrain(face_folder, out, *SMALL, "--resume", "--epochs", 3)
    assert result.exit_code == 2, result.output
    *_, last = result.stderr.splitlines()
    assert f"{out / 'last.ckpt'} is that of the last good epoch" in last
    assert (out / "last.ckpt").read_bytes() == before


def test_a_rate_that_is_far_too_high(face_folder: Path, tmp_path: Path) -> None:
    result = run_pretrain(face_folder, tmp_path / "run", *SMALL, "--lr", 1e30)
    assert result.exit_code == 2, result.output
    *_, last = result.stderr.splitlines()
    assert last.startswith("Error: training has diverged")
    assert "no checkpoint was written; start again with a lower --lr" in last
    assert not (tmp_path / "run" / "last.ckpt").exists()
