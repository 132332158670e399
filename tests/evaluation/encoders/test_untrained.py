from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from contrawarp_edge.core.errors import InputError
from helpers import MakeSet
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.evaluation.encoders import opening
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.encoders.features import extract_features
from lightly_contrawarp.evaluation.encoders.opening import load_encoder, open_encoders
from lightly_contrawarp.evaluation.encoders.untrained import random_encoder
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.embedding.head import fit_head

MODEL = Path("last.ckpt")


@pytest.fixture
def headed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a checkpoint with a head of seven dimensions."""
    features = np.random.default_rng(0).standard_normal((30, 128 * 9))
    head = fit_head(features.astype(np.float32), 7)

    def load(path: Path, *, features: str, device: str) -> TorchEncoder:
        kept = head if features == "exported" else None
        module, _ = build_backbone("small")
        return TorchEncoder(module, 48, head=kept, backbone="small", source=str(path))

    monkeypatch.setattr(opening, "load_encoder", load)


def _random(name: str, **options: object) -> TorchEncoder:
    encoders = open_encoders([MODEL], random_init=True, **options)  # type: ignore[arg-type]
    assert list(encoders) == [str(MODEL), name]
    encoder = encoders[name]
    assert isinstance(encoder, TorchEncoder)
    return encoder


@pytest.mark.usefixtures("headed")
def test_untrained__has_a_head_like_the_model(make_set: MakeSet) -> None:
    images = make_set("train", 6)
    Path(images.names[4]).write_bytes(b"no image")
    encoder = _random("small, random", training=images)
    assert encoder.embedding_dim == 7
    assert encoder.info.features == "embedding, 3 x 3 cells"
    assert encoder.info.source == (
        "random initialisation, seed 0; head fitted to the training images of the set, "
        "without labels"
    )
    # The head takes away the mean of what it was fitted to: all that can be read.
    values = extract_features(encoder, images).values
    assert values.shape == (17, 7)
    assert np.abs(values.mean(axis=0)).max() < 0.05 * values.std()


@pytest.mark.usefixtures("headed")
def test_untrained__the_head_knows_no_labels(make_set: MakeSet) -> None:
    images = make_set("train", 4)
    found = _random("small, random", training=images, batch_size=5).info.fingerprint
    images.labels = [0] * len(images)
    again = _random("small, random", training=images, batch_size=5).info.fingerprint
    assert again == found


@pytest.mark.usefixtures("headed")
def test_untrained__is_called_pooled_if_it_has_no_head(make_set: MakeSet) -> None:
    encoder = _random("small, random, pooled")
    assert (encoder.embedding_dim, encoder.info.features) == (None, "pooled")
    none = LabelledImages("mine", Path("mine"), [])
    assert _random("small, random, pooled", training=none).embedding_dim is None
    images = make_set("train", 4)
    same = _random("small, random", training=images, features="pooled")
    assert same.info == encoder.info


def test_untrained__has_no_head_if_the_model_has_none(
    small_checkpoint: Path, small_export: tuple[Path, object], make_set: MakeSet
) -> None:
    encoders = open_encoders(
        [small_checkpoint, small_export[0]],
        random_init=True,
        device="cpu",
        training=make_set("train", 4),
    )
    assert encoders["small, random"].info.features == "pooled"


def test_random_encoder__follows_its_seed(small_checkpoint: Path) -> None:
    like = load_encoder(small_checkpoint).info
    before = torch.get_rng_state()
    first, again, other = (
        random_encoder(like, seed=seed, features="pooled", device="cpu")
        for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert first.info == again.info
    assert first.info.fingerprint != other.info.fingerprint
    assert (first.info.kind, first.info.input_size) == ("random", 48)


def test_random_encoder__of_a_network_that_has_no_name() -> None:
    like = TorchEncoder(nn.Flatten(), 8, source="my.onnx").info
    with pytest.raises(InputError, match=r"my\.onnx: .*leave out --random-init"):
        random_encoder(like, seed=0, features="pooled", device="cpu")
