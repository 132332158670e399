"""What earlier versions wrote opens as before.

``earlier.tar.xz`` holds a run of ``contrawarp pretrain`` on drawn faces, what
``contrawarp evaluate --json`` said of its checkpoint, models exported in the format
versions 1 and 2, galleries of the faces in ``faces/test`` in the schema versions 1 to
3, and the hits of a search in the first of them. The versions of that time wrote it;
the weights were rounded before, so that it is small.
"""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from contrawarp_edge import Embedder, Gallery
from contrawarp_edge.cli import main as edge
from helpers_export import run as export
from lightly_contrawarp.cli import main as training

ARCHIVE = Path(__file__).with_name("earlier.tar.xz")


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which all of it is, and the current one."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contrawarp(*words: object) -> Result:
    return CliRunner().invoke(training, [str(word) for word in words])


def contrawarp_edge(*words: object) -> Result:
    return CliRunner().invoke(edge, [str(word) for word in words])


@pytest.mark.parametrize(("version", "model"), [(1, 1), (2, 1), (3, 2)])
def test_galleries_are_searched_and_brought_up_to_date(
    earlier: Path, version: int, model: int
) -> None:
    gallery, file = f"version_{version}.gallery", f"model_{model}.onnx"
    expected = json.loads((earlier / "hits.json").read_text())

    def check() -> None:
        result = contrawarp_edge(
            *(
                "search",
                gallery,
                expected[0]["path"],
                "--model",
                file,
                "-k",
                5,
                "--json",
            )
        )
        assert result.exit_code == 0, result.output
        hits = json.loads(result.stdout)
        assert [hit["path"] for hit in hits] == [hit["path"] for hit in expected]
        np.testing.assert_allclose(
            [hit["score"] for hit in hits],
            [hit["score"] for hit in expected],
            atol=1e-5,
        )

    check()
    assert stored_version(gallery) == version
    result = contrawarp_edge("embed", file, "faces/test", "--gallery", gallery)
    assert result.exit_code == 0, result.output
    assert "0 embedded, 14 unchanged, 0 skipped" in result.stdout
    assert stored_version(gallery) == 4
    check()
    assert contrawarp_edge("check", gallery).exit_code == 0


def stored_version(gallery: str) -> int:
    with closing(sqlite3.connect(gallery)) as connection:
        query = "SELECT value FROM meta WHERE key = 'schema_version'"
        return int(connection.execute(query).fetchone()[0])


@pytest.mark.parametrize("version", [1, 2])
def test_models_embed_as_they_did(earlier: Path, version: int) -> None:
    embedder = Embedder(f"model_{version}.onnx")
    assert embedder.info.format_version == version
    with Gallery.open("version_3.gallery", readonly=True) as gallery:
        for record in gallery.iter_records():
            (row,) = embedder.embed(record.path)
            np.testing.assert_allclose(row, record.embedding, atol=1e-5)


def test_a_checkpoint_is_evaluated_as_it_was(earlier: Path) -> None:
    said = earlier / "again.json"
    result = contrawarp(
        *(
            "evaluate",
            "run/last.ckpt",
            "--data",
            "faces",
            "--few-label",
            "--workers",
            0,
        ),
        *("--identity-pattern", r"id(\d+)_", "--json", said),
    )
    assert result.exit_code == 0, result.output
    before, after = (
        json.loads(path.read_text())["encoders"]["last.ckpt"]
        for path in (earlier / "evaluation.json", said)
    )
    assert after["encoder"]["fingerprint"] == before["encoder"]["fingerprint"]
    assert before.keys() <= after.keys()
    # Another machine may round otherwise, and one of the 14 faces change sides.
    accuracy = before["linear_probe"]["accuracy"]
    assert after["linear_probe"]["accuracy"] == pytest.approx(accuracy, abs=0.08)


@pytest.mark.slow
def test_a_checkpoint_is_exported_with_what_was_measured(earlier: Path) -> None:
    result = export(
        *("run/last.ckpt", "--onnx", "again.onnx", "--evaluation", "evaluation.json")
    )
    assert result.exit_code == 0, result.output
    faces = sorted(Path("faces/test").glob("*/*.jpg"))
    now, then = Embedder("again.onnx"), Embedder("model_2.onnx")
    np.testing.assert_allclose(now.embed(faces), then.embed(faces), atol=1e-5)
    # Other versions of PyTorch may write another graph.
    facts = replace(now.info, fingerprint=then.info.fingerprint, format_version=2)
    assert facts == then.info
    card = (earlier / "again.md").read_text()
    assert "Linear probe" in card
    assert "Identity leakage" in card


def test_a_run_is_resumed(earlier: Path) -> None:
    result = contrawarp(
        *("pretrain", "faces/train", "--out", "run", "--resume", "--epochs", 2),
        *("--backbone", "small", "--input-size", 32, "--batch-size", 8),
        *("--workers", 0, "--commercial-use", "no"),
    )
    assert result.exit_code == 0, result.output
    assert "trained on 21 images" in result.stdout
