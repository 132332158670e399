"""The embedding head at the end of contrawarp pretrain."""

import shutil
from pathlib import Path

import pytest
import torch

from helpers import one_line_error, read, run_pretrain
from helpers_export import run as export
from lightly_contrawarp import load_backbone, load_embedding
from lightly_contrawarp.data.folders import SkippedFile
from lightly_contrawarp.models.checkpoint import HEAD_KEY
from lightly_contrawarp.models.embedding.network import EmbeddingNetwork
from lightly_contrawarp.training import head as module
from lightly_contrawarp.training import pretrain as running
from lightly_contrawarp.training.head import fit_to_files


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    result = run_pretrain(folder, out, "--embedding-dim", 5)
    assert result.exit_code == 0, result.output
    return out


def test_a_run_ends_with_a_head(finished: Path) -> None:
    network, info = load_embedding(finished / "last.ckpt")
    assert isinstance(network, EmbeddingNetwork)
    assert info.dim == 5
    # Of the encoder at 32 pixels, whose last map is 2 x 2.
    assert network.head.components.shape == (5, 4 * 128)
    assert read(finished)["global_step"] == 3
    assert load_backbone(finished / "last.ckpt")[1].dim == 128


def test_a_resumed_run_has_the_head_of_its_own_weights(
    folder: Path, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    options = ("--embedding-dim", 5, "--resume", "--epochs")
    assert run_pretrain(folder, out, *options, 1).exit_code == 0  # nothing to train
    before, again = read(finished)[HEAD_KEY], read(out)[HEAD_KEY]
    torch.testing.assert_close(again["mean"], before["mean"])
    assert run_pretrain(folder, out, *options, 2).exit_code == 0
    assert not torch.equal(read(out)[HEAD_KEY]["mean"], before["mean"])
    one_line_error(
        run_pretrain(folder, out, "--embedding-dim", 6, "--resume", "--epochs", 3),
        "was started with embedding_dim=5, not 6",
    )


def test_a_run_that_is_stopped_before_the_head_exports_pooled_features(
    folder: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "run"
    shutil.copytree(finished, out)
    monkeypatch.setattr(running, "keep_head", interrupt)
    options = ("--embedding-dim", 5, "--resume", "--epochs", 2)
    assert run_pretrain(folder, out, *options).exit_code not in (0, 2)
    assert read(out)["global_step"] == 6
    assert HEAD_KEY not in read(out)
    result = export(
        out / "last.ckpt", "--safetensors", tmp_path / "w.safetensors", "--no-card"
    )
    assert result.exit_code == 0, result.output
    assert "pooled output, 128 features" in result.stdout
    assert "last.ckpt: has no embedding head" in result.stderr


def test_a_checkpoint_outlives_a_write_that_fails(
    folder: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    shutil.copy(finished / "last.ckpt", path)
    before = path.read_bytes()

    def cut(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(module.AtomicCheckpointIO, "save_checkpoint", cut)
    with pytest.raises(OSError, match="no space"):
        module.keep_head(path, sorted(folder.iterdir()), 3, on_failure=print)
    assert path.read_bytes() == before


def test_an_encoder_without_a_map_says_so(folder: Path, tmp_path: Path) -> None:
    result = run_pretrain(folder, tmp_path / "run", "--input-size", 2)
    assert result.exit_code == 0, result.output
    (line,) = (x for x in result.stderr.splitlines() if "embedding head" in x)
    assert "no last feature map larger than one cell at 2 pixels" in line
    assert HEAD_KEY not in read(tmp_path / "run")


@pytest.mark.parametrize("workers", [0, 2])
def test_files_are_spread_evenly_and_broken_ones_left_out(
    folder: Path,
    finished: Path,
    tmp_path: Path,
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_IMAGES", 8)
    faces = sorted(folder.iterdir())
    broken = [tmp_path / f"{index}.png" for index in range(3)]
    for path in broken:
        path.write_bytes(b"no picture")
    failed: list[SkippedFile] = []
    backbone, info = load_backbone(finished / "last.ckpt")

    def fit(paths: list[Path]) -> torch.Tensor:
        return fit_to_files(
            backbone,
            info.input_size,
            paths,
            4,
            on_failure=failed.append,
            batch_size=3,
            workers=workers,
        ).mean

    every_third = fit(faces)
    torch.testing.assert_close(every_third, fit(faces[::3]))
    assert not torch.allclose(every_third, fit(faces[:8]))
    assert failed == []
    torch.testing.assert_close(fit(broken + faces[:5]), fit(faces[:5]))
    if not workers:
        assert sorted(file.path for file in failed) == broken
