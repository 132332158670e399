"""Settings of a pre-training run; nothing heavy, so that commands can show them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PretrainSettings:
    """What decides the outcome of a run; a resumed run has to have the same.

    Attributes:
        backbone: Torchvision name, or ``small``.
        input_size: Height and width of the views in pixels.
        batch_size: Images a step; each comes in several views.
        num_negatives: Warped faces an image.
        paired: Whether each warped face comes in two views.
        contrast: What the contrast compares, see ``Contrast``.
        negatives_from: Whose views are negatives, see ``NegativesFrom``.
        positive_weight: Weight of BYOL's term.
        negative_weight: Weight of the negative term.
        temperature: Temperature of the contrast.
        lr: Peak learning rate.
        precision: Lightning's precision, such as ``"bf16-mixed"``.
        channels_last: Whether to compute in channels-last memory format.
        centres: Where warps sit: ``landmarks`` for those of each image, where known,
            ``template`` for those of the crop contract.
        neighbours: Largest distance in seconds of the frame of the same track that
            the second view of each pair shows; 0 for the same frame.
        seed: Seed of weights, order and views.
        commercial_use: What the licence of the images allows.
        training_images: What the images are, in words; if ``"unknown"``, the folder's
            name is recorded.
        align: Whether faces are cut out of the images first.
    """

    backbone: str = "resnet18"
    input_size: int = 112
    batch_size: int = 64
    num_negatives: int = 1
    paired: bool = True
    contrast: str = "online"
    negatives_from: str = "batch"
    positive_weight: float = 0.0
    negative_weight: float = 1.0
    temperature: float = 0.1
    lr: float = 3e-3
    precision: str = "32-true"
    channels_last: bool = False
    centres: str = "landmarks"
    neighbours: float = 0.0
    seed: int = 0
    commercial_use: str = "unknown"
    training_images: str = "unknown"
    align: bool = False
