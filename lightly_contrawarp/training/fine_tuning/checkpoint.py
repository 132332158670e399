"""What a run of fine-tuning leaves: an encoder, its head and a classifier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightly.utils.benchmarking import FinetuneClassifier
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error
from torchvision.transforms import v2

from contrawarp_edge.core.errors import NotApplicableError
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.core.text import printable
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.models.checkpoint import (
    CHECKPOINT_KEY,
    CLASSIFIER_KEY,
    HEAD_KEY,
    BackboneInfo,
)
from lightly_contrawarp.models.embedding.classifier import (
    FitFacts,
    LinearClassifier,
    fit_temperature,
    images_by_class,
)
from lightly_contrawarp.models.embedding.fitting import MAX_IMAGES, fit_embedding_head
from lightly_contrawarp.models.settings import ModelSettings
from lightly_contrawarp.training.fine_tuning.classifier import predict_logits
from lightly_contrawarp.training.fine_tuning.labelled_rows import LabelledRows
from lightly_contrawarp.training.lightning import AtomicCheckpointIO
from lightly_contrawarp.transforms.colour.pixels import decoded_side

RUN_KEY = "contrawarp_finetune"
"""Entry of a checkpoint that holds what a resumed run has to have again."""

_BINS = 15


class RunClassifier(FinetuneClassifier):  # type: ignore[misc]
    """Lightly's, in checkpoints that `load_backbone` reads."""

    info: BackboneInfo
    run: dict[str, Any]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Names the encoder's weights as in pre-training, and says what they are."""
        checkpoint["state_dict"] = _renamed(
            checkpoint["state_dict"], "model.", "backbone."
        )
        checkpoint[CHECKPOINT_KEY] = self.info.to_dict()
        checkpoint[RUN_KEY] = self.run

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Gives them their names back."""
        checkpoint["state_dict"] = _renamed(
            checkpoint["state_dict"], "backbone.", "model."
        )


def finish(
    path: Path, module: RunClassifier, labelled: LabelledRows, held_out: Any
) -> FitFacts:
    """Adds the calibrated classifier and the embedding head to a checkpoint."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    module.load_state_dict(_renamed(content["state_dict"], "backbone.", "model."))
    truth = labelled.labels[labelled.held_out]
    logits = predict_logits(module, held_out)
    temperature = fit_temperature(logits, truth)
    error = multiclass_calibration_error(
        torch.from_numpy(logits / np.float32(temperature)).softmax(dim=1),
        torch.from_numpy(truth),
        num_classes=len(labelled.classes),
        n_bins=_BINS,
    )
    facts = FitFacts(
        source=f"a labelled set named {printable(labelled.images.root.resolve().name)}",
        images_by_class=images_by_class(labelled.classes, labelled.labels),
        held_out=len(truth),
        accuracy=float((logits.argmax(axis=1) == truth).mean()),
        calibration_error=float(error),
    )
    linear = module.classification_head
    weight, bias = (
        one.detach().cpu() / temperature for one in (linear.weight, linear.bias)
    )
    classifier = LinearClassifier(weight, bias, facts, reads_pooled=True)
    added: dict[str, Any] = {CLASSIFIER_KEY: classifier.to_state()}
    rows = labelled.rows[~labelled.held_out]
    size = module.info.input_size
    progress = Progress(min(len(rows), MAX_IMAGES))
    try:
        head = fit_embedding_head(
            *(module.model, _batches(labelled.images, rows, decoded_side(size)), size),
            ModelSettings.embedding_dim,
            on_progress=progress.update,
        )
        added[HEAD_KEY] = head.state_dict()
    except NotApplicableError:
        pass  # its pooled output is exported
    finally:
        progress.clear()
    AtomicCheckpointIO().save_checkpoint({**content, **added}, path)
    return facts


def _batches(
    images: LabelledImages, rows: NDArray[np.int64], side: int
) -> Iterator[Tensor]:
    """Some of the images, evenly spread, as ``uint8`` batches."""
    count = min(len(rows), MAX_IMAGES)
    chosen = rows[np.arange(count) * len(rows) // count]
    change = v2.Compose([v2.Resize((side, side)), v2.PILToTensor()])
    for start in range(0, count, 256):
        part = chosen[start : start + 256].tolist()
        yield torch.stack([change(images[row][0]) for row in part])


def _renamed(state: dict[str, Any], before: str, after: str) -> dict[str, Any]:
    return {
        after + key.removeprefix(before) if key.startswith(before) else key: value
        for key, value in state.items()
    }
