"""load_backbone on what Lightning writes, and on what is none of it."""

import zipfile
from pathlib import Path

import pytest
import torch
from obstacles import silent_pipe
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.core.errors import InputError
from lightly_contrawarp import (
    Contrast,
    ContraWarp,
    ContraWarpTransform,
    NegativeForm,
    load_backbone,
)
from lightly_contrawarp.loss.settings import NegativesFrom
from lightly_contrawarp.models.checkpoint import training_facts
from lightly_contrawarp.models.settings import ModelSettings
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.transforms.pairing import Pairing

NAME = "shufflenet_v2_x0_5"


@pytest.fixture(scope="module")
def trained(
    faces: Tensor, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ContraWarp, Trainer, Path]:
    folder = tmp_path_factory.mktemp("run")
    views = ContraWarpBatchTransform(ContraWarpTransform(32))
    model = ContraWarp(
        NAME, batch_transform=views, input_size=32, projection_dim=8,
        commercial_use="no",
    )  # fmt: skip
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ModelCheckpoint(folder, "best", save_last=True)],
    )  # fmt: skip
    trainer.fit(model, DataLoader(TensorDataset(faces), batch_size=8))
    trainer.save_checkpoint(folder / "full.ckpt")
    trainer.save_checkpoint(folder / "weights.ckpt", weights_only=True)
    content = torch.load(folder / "full.ckpt", weights_only=True)
    content["state_dict"] = {
        key.replace("backbone.", "backbone._orig_mod.", 1): value
        for key, value in content["state_dict"].items()
    }
    torch.save(content, folder / "compiled.ckpt")
    return model, trainer, folder


@pytest.mark.parametrize("form", ["best", "last", "full", "weights", "compiled"])
def test_every_form_gives_the_trained_encoder(
    form: str, trained: tuple[ContraWarp, Trainer, Path], faces: Tensor
) -> None:
    model, _, folder = trained
    backbone, info = load_backbone(folder / f"{form}.ckpt")
    assert not backbone.training
    images = faces.float() / 255
    expected = model.eval()(images)
    torch.testing.assert_close(backbone(images), expected)
    assert expected.shape[1] == info.dim == 1024
    assert (info.name, info.input_size, info.commercial_use) == (NAME, 32, "no")
    assert info.crop["name"] == FACE_CROP.name


def test_the_module_loads_with_its_own_encoder(
    trained: tuple[ContraWarp, Trainer, Path], faces: Tensor
) -> None:
    """As Lightning's users do it, with nothing but the path."""
    model, _, folder = trained
    loaded = ContraWarp.load_from_checkpoint(folder / "full.ckpt", map_location="cpu")
    images = faces.float() / 255
    torch.testing.assert_close(loaded.eval()(images), model.eval()(images))
    assert loaded.info == model.info
    with pytest.raises(InputError, match=f"holds a {NAME} encoder of 1024 features"):
        ContraWarp.load_from_checkpoint(folder / "full.ckpt", backbone="resnet18")


def test_what_the_images_were_outlasts_loading_and_saving(tmp_path: Path) -> None:
    model = ContraWarp("small", training_images="drawn")
    checkpoint = {"state_dict": model.state_dict()}
    model.on_save_checkpoint(checkpoint)
    again = ContraWarp("small")
    again.on_load_checkpoint(checkpoint)
    assert again.info.training_images == "drawn"


def test_settings_given_as_enums_are_saved_as_text(tmp_path: Path) -> None:
    """Else the checkpoint would hold more than tensors, and not be read."""
    model = ContraWarp(
        "small", contrast=Contrast.TARGET, form=NegativeForm.INFO_NCE,
        pairing=Pairing.UNPAIRED,
        negatives_from=NegativesFrom.FACE, positive_weight=1.0,
    )  # fmt: skip
    run = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    run.strategy.connect(model)
    run.save_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert load_backbone(tmp_path / "a.ckpt")[1].name == "small"
    loaded = ContraWarp.load_from_checkpoint(tmp_path / "a.ckpt")
    assert loaded.hparams == model.hparams


def test_a_checkpoint_of_an_earlier_version() -> None:
    """It names its views otherwise, and the margin of a loss that is gone."""
    path = Path(__file__).with_name("data") / "earlier.ckpt"
    assert training_facts(path)["margin"] == 0.2
    encoder = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, stride=4), torch.nn.AdaptiveAvgPool2d(1)
    )
    model = ContraWarp.load_from_checkpoint(path, backbone=encoder)
    features = model.eval()(torch.ones(1, 3, 24, 24))
    expected = torch.tensor([[-0.0532, -0.4392, 0.0793, -0.2807]])
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)
    assert model.settings == ModelSettings(
        input_size=24, num_negatives=2, pairing="unpaired", warp="bumps",
        action_weight=0.0, contrast="target",
        negatives_from="face", positive_weight=1.0, temperature=0.2,
        projection_hidden_dim=4, projection_dim=2, commercial_use="no",
        channels_last=False,
    )  # fmt: skip
    assert model.info.training_images == "drawn"
    assert not {"margin", "paired"} & model.hparams.keys()
    backbone, info = load_backbone(path, encoder)
    assert (info.name, backbone(torch.ones(1, 3, 24, 24)).shape[1]) == ("custom", 4)


@pytest.fixture
def saved(tmp_path: Path) -> dict[str, object]:
    """The content of a small checkpoint."""
    model = ContraWarp("small")
    checkpoint: dict[str, object] = {"state_dict": model.state_dict()}
    model.on_save_checkpoint(checkpoint)
    return checkpoint


def test_a_checkpoint_of_a_later_version_is_opened(
    saved: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    saved["contrawarp"].update(mood="good", package_version="99.0")
    saved["another"] = {}
    torch.save(saved, tmp_path / "new.ckpt")
    _, info = load_backbone(tmp_path / "new.ckpt")
    assert (info.name, info.package_version) == ("small", "99.0")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"contrawarp": {"name": "small"}}, "facts about the encoder are damaged"),
        ({"contrawarp": [1, 2]}, "facts about the encoder are damaged"),
        ({"state_dict": {}}, "does not fit small"),
    ],
)
def test_a_checkpoint_with_something_missing(
    damage: dict[str, object], message: str, saved: dict[str, object], tmp_path: Path
) -> None:
    torch.save({**saved, **damage}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=message) as error:
        load_backbone(tmp_path / "a.ckpt")
    assert "a.ckpt: " in str(error.value)
    del saved["state_dict"]
    torch.save(saved, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="does not fit small"):
        load_backbone(tmp_path / "a.ckpt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(
    value: float, saved: dict[str, dict[str, Tensor]], tmp_path: Path
) -> None:
    saved["state_dict"]["backbone.0.weight"][0, 0, 0, 0] = value
    torch.save(saved, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=r"a\.ckpt: its weights are not finite"):
        load_backbone(tmp_path / "a.ckpt")


def test_tells_how_it_was_trained(trained: tuple[ContraWarp, Trainer, Path]) -> None:
    _, trainer, folder = trained
    facts = training_facts(folder / "full.ckpt")
    last = training_facts(folder / "last.ckpt")  # saved before the epoch was counted
    assert facts["epochs"] == last["epochs"] == trainer.current_epoch == 1
    assert facts["optimizer_steps"] == trainer.global_step == 3
    assert facts["projection_dim"] == 8
    torch.save({"state_dict": {}}, folder / "bare.ckpt")
    assert training_facts(folder / "bare.ckpt") == {}


def test_in_place_compilation_keeps_the_keys_clean(
    trained: tuple[ContraWarp, Trainer, Path],
) -> None:
    model, _, _ = trained
    before = set(model.state_dict())
    model.compile()
    assert set(model.state_dict()) == before


def test_a_module_of_ones_own(faces: Tensor, tmp_path: Path) -> None:
    def encoder() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12288, 4))

    model = ContraWarp(encoder(), 4, input_size=64)
    checkpoint = {"state_dict": model.state_dict()}
    model.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "own.ckpt")
    with pytest.raises(InputError, match="pass the module"):
        load_backbone(tmp_path / "own.ckpt")
    backbone, info = load_backbone(tmp_path / "own.ckpt", encoder())
    images = faces.float()
    torch.testing.assert_close(backbone(images), model(images))
    assert info.name == "custom"
    with pytest.raises(InputError, match="does not fit custom"):
        load_backbone(tmp_path / "own.ckpt", torch.nn.Linear(3, 4))


class _Evil:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return (Path.touch, (self.path,))


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    (tmp_path / "empty.ckpt").touch()
    with zipfile.ZipFile(tmp_path / "zip.ckpt", "w") as archive:
        archive.writestr("a", "b")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    torch.save([1, 2], tmp_path / "list.ckpt")
    torch.save({"contrawarp": _Evil(tmp_path / "owned")}, tmp_path / "evil.ckpt")
    whole = (tmp_path / "other.ckpt").read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    for name, message in {
        "text": "not a checkpoint, or one that is cut short",
        "empty": "not a checkpoint, or one that is cut short",
        "zip": "not a checkpoint that PyTorch can read",
        "other": "no ContraWarp checkpoint",
        "list": "no ContraWarp checkpoint",
        "evil": "holds more than tensors",
        "cut": "not a checkpoint, or one that is cut short",
        "missing": "no such checkpoint",
    }.items():
        with pytest.raises(InputError, match=message) as error:
            load_backbone(tmp_path / f"{name}.ckpt")
        assert f"{name}.ckpt" in str(error.value)
        assert "\n" not in str(error.value)
    with (
        silent_pipe(tmp_path / "pipe.ckpt") as pipe,
        pytest.raises(InputError, match=r"pipe\.ckpt: not a regular file"),
    ):
        load_backbone(pipe)
    assert not (tmp_path / "owned").exists()
    torch.load(tmp_path / "evil.ckpt", weights_only=False)
    assert (tmp_path / "owned").exists()  # so it would have run
    with pytest.raises(InputError, match="is a folder"):
        load_backbone(tmp_path)
