"""How large a benchmark is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Size of all runs; the same for every variant, so that they can be compared.

    Attributes:
        name: Identifier.
        backbone: Encoder of every variant that names none.
        input_size: Side of the views in pixels.
        batch_size: Images a step.
        lr: Peak learning rate of AdamW.
        epochs: Passes over the images, where no time is given.
        ablation_epochs: Likewise, of each run of the ablation.
        seeds: Runs of each variant of the comparison and the controls.
        ablation_seeds: Runs of each variant of the ablation.
        limit: Most training images; ``None`` for all.
        drawn_faces: Drawn faces that the probe of emotion learns from.
        points: How often accuracy is measured on the way, for the plot.
    """

    name: str
    backbone: str
    input_size: int
    batch_size: int
    lr: float
    epochs: float
    ablation_epochs: float
    seeds: int
    ablation_seeds: int
    limit: int | None
    drawn_faces: int
    points: int


SCALES = {
    scale.name: scale
    for scale in (
        Scale("smoke", "small", 48, 32, 3e-3, 1, 1, 1, 1, 320, 140, 2),
        Scale("cpu", "small", 48, 64, 3e-3, 3, 1.5, 3, 2, None, 4000, 6),
        Scale("gpu", "resnet18", 64, 256, 3e-3, 60, 20, 3, 3, None, 4000, 4),
    )
}
"""``smoke`` shows that everything runs, ``cpu`` fits two cores in some hours, ``gpu``
is for one large GPU."""
