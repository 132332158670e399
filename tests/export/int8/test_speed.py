"""Timing two models in turn."""

from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge import Embedder
from helpers import Clock
from lightly_contrawarp.export.int8 import speed


def test_the_slower_model_is_found(
    fp32: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    class Delayed(Embedder):
        def embed(self, images):  # type: ignore[no-untyped-def]
            clock.sleep(0.02 if self.path.name == "slow" else 0.01)
            assert self._session.get_session_options().intra_op_num_threads == 1
            return np.zeros((len(images), 1), np.float32)

    slow = fp32.path.with_name("slow")
    slow.write_bytes(fp32.path.read_bytes())
    monkeypatch.setattr(speed, "Embedder", Delayed)
    monkeypatch.setattr(speed, "time", clock)
    monkeypatch.setattr(speed, "_SECONDS", 0.0)
    monkeypatch.setattr(speed, "_MIN_ROUNDS", 5)
    single, many = speed.measure_speed(slow, fp32.path, np.zeros((8, 8, 3), np.uint8))
    slow.unlink()
    assert (single.batch, many.batch) == (1, 32)
    assert single.rounds == many.rounds == 5
    assert single.reference_ms == pytest.approx(20)
    assert many.reference_ms == pytest.approx(20 / 32)
    assert single.ratio == pytest.approx(2)


def test_real_models_are_timed(fp32: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_SECONDS", 0.0)
    monkeypatch.setattr(speed, "_MIN_ROUNDS", 3)
    image = np.zeros((32, 32, 3), np.uint8)
    for one in speed.measure_speed(fp32.path, Path(fp32.path), image):
        assert one.reference_ms > 0
        assert one.other_ms > 0
        assert one.rounds == 3
