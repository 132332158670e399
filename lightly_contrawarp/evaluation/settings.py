"""Everything that an evaluation depends on besides encoders and data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FineTuneSettings:
    """What decides the outcome of fine-tuning.

    Attributes:
        epochs: Passes over the training set.
        lr: Learning rate of SGD for a batch of 256; it is scaled with the batch, and
            falls to 0 as a cosine.
        batch_size: Most images in a step.
        seed: Of head, order and augmentation.
    """

    epochs: int = 30
    lr: float = 0.05
    batch_size: int = 64
    seed: int = 0


@dataclass(frozen=True)
class EvaluationSettings:
    """What to measure, and how.

    Attributes:
        batch_size: Images in a batch.
        workers: Processes that decode images; 0 decodes in the calling one.
        seeds: Seeds of the linear probe.
        ks: Numbers of neighbours.
        temperature: Of the neighbours' votes; see `knn_probe`.
        few_label: Whether to fit the linear probe to few labels too.
        fine_tuning: How to fine-tune; None leaves it out.
    """

    batch_size: int = 256
    workers: int = 0
    seeds: tuple[int, ...] = (0, 1, 2)
    ks: tuple[int, ...] = (5, 20, 200)
    temperature: float = 0.07
    few_label: bool = False
    fine_tuning: FineTuneSettings | None = None
