"""The card: what is known is in it, and what is not is said to be unknown."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from contrawarp_edge import InputError
from lightly_contrawarp.evaluation.statistics.intervals import Estimate
from lightly_contrawarp.export.exported_file import ExportedFile
from lightly_contrawarp.export.int8.agreement import Agreement
from lightly_contrawarp.export.int8.report import Int8Report
from lightly_contrawarp.export.int8.speed import Speed
from lightly_contrawarp.export.model_card import (
    check_replaceable,
    read_evaluation,
    render_card,
)
from lightly_contrawarp.models.checkpoint import BackboneInfo

INFO = BackboneInfo(name="resnet18", dim=512, input_size=112, package_version="0.9.1")
POOLED = "the encoder's pooled output, 512 features"
FILES = [ExportedFile(Path("model.onnx"), "fp32", 44_700_000, "ab" * 32)]


def flat(card: str) -> str:
    return re.sub(r"\s+", " ", card)


def is_table(lines: list[str]) -> bool:
    return len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_what_is_unknown_is_said() -> None:
    card = render_card(INFO, POOLED, {}, FILES)
    for text in (
        "Model card: resnet18, 112 px",
        "512 numbers",
        f"- Embedding: {POOLED}; scaled to unit length.",
        "lightly-contrawarp 0.9.1",
        f"| `model.onnx` | fp32 | 44.70 | `{'ab' * 32}` |",
        "| left eye | 0.31 | 0.38 |",
        "Training images: not recorded in the checkpoint.",
        "Commercial use of a model trained on them: **unknown**.",
        "Length and settings of the training: not recorded in the checkpoint.",
        "Nothing: how well it tells expressions apart is unknown.",
        "Error by class: unknown.",
        "disability: unknown.",
        "Identity leakage: unknown.",
        "does not tell what anybody feels",
        "Article 5(1)(f) of the AI Act",
        "at work and in education",
    ):
        assert text in flat(card), text
    assert "8 bits" not in card
    assert card.endswith("advice.\n")
    assert "\n\n\n" not in card


def test_what_is_known_is_said() -> None:
    images = "FER2013, from the web; 28,709 images"
    info = dataclasses.replace(INFO, commercial_use="no", training_images=images)
    card = render_card(info, POOLED, {"optimizer_steps": 42, "a|b": "x\ny"}, FILES)
    assert "**no**, as declared when it was trained; not checked." in card
    assert "| optimizer steps | 42 |" in card
    assert "| a\\|b | x y |" in card
    assert f"Training images: {images}." in card
    assert "not recorded" not in card


def test_measures_replace_what_is_unknown(
    evaluation: dict[str, Any], evaluation_file: Path
) -> None:
    mine = evaluation["encoders"]["mine.ckpt"]
    measured = read_evaluation(evaluation_file, {mine["encoder"]["fingerprint"]})
    card = render_card(INFO, POOLED, {}, FILES, measured=[measured])
    assert "labelled set `folder`: 30 test images" in flat(card)
    assert f"{100 * mine['linear_probe']['accuracy']:.1f} (" in card
    assert "| small, random |" in card
    assert "- `mine.ckpt`: pooled, 3 numbers.\n" in card
    assert "- `small, random`: pooled, 48 numbers; untrained: module.\n" in card
    assert "other.ckpt" not in card
    assert f"{measured.data.overlap.words} **Linear probe.**" in flat(card)
    assert "Error by class: see above" in card
    assert "Error by class: unknown" not in card
    assert "Identity leakage: unknown" in card
    assert str(evaluation_file.parent) not in card
    for block in re.findall(r"(?:^\|.*\n)+", card, flags=re.MULTILINE):
        assert is_table(block.splitlines())


def test_int8_is_told_beside_fp32() -> None:
    path = Path("/somewhere/model.onnx")
    report = Int8Report(
        fp32=ExportedFile(path, "fp32", 44_700_000, "ab" * 32),
        int8=ExportedFile(path, "int8", 11_300_000, "cd" * 32),
        folder=Path("/somewhere/faces"),
        calibrated_on=256,
        seed=0,
        agreement=Agreement(
            1000, 10, Estimate(0.9591, (0.956, 0.962), 0.01), 0.99991, 0.9993
        ),
        passed_over=None,
        unreadable=[],
        speed=[Speed(1, 20, 5.5, 1.5, 3.6667)],
        tasks=None,
        versions={},
    )
    card = render_card(INFO, POOLED, {}, FILES, int8=report)
    for row in (
        "| size, MB | 44.7 | 11.3 | 0.25 |",
        "| ms an image, batch 1 | 5.5 | 1.5 | 3.67 times as fast |",
        "| of 10 nearest, shared (%) |  |  | 95.9 (95.6 to 96.2) |",
        "| cosine, mean and lowest |  |  | 0.9999, 0.9993 |",
    ):
        assert row in card
    assert "calibrated on 256 images and compared on 1,000 others" in flat(card)
    assert "/somewhere" not in card


def test_only_cards_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "model.md"
    check_replaceable(path)
    path.write_text(render_card(INFO, POOLED, {}, FILES))
    check_replaceable(path)
    for content in (b"", b"# Notes\n", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"model.md: is no model card of contraw"):
            check_replaceable(path)
