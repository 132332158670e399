"""What is measured: how large it is, on which images, which runs, where they go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.variants import ABLATION, CONTROLS, MAIN, Variant
from contrawarp_edge.inputs.images import FACES_CSV

PARTS = {"main": MAIN, "controls": CONTROLS, "ablation": ABLATION}


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


@dataclass(frozen=True)
class Sources:
    """Where the images are.

    Attributes:
        data: Holds ``train/CLASS/*`` and ``validation/CLASS/*``, and
            ``train/faces.csv``, if landmarks of the training images are known.
        lfw: Holds ``CLASS/idNNN_*.jpg``, photographs of people.
        pairs: Likewise, each person with one expression and with another.
    """

    data: Path
    lfw: Path | None = None
    pairs: Path | None = None

    @property
    def people(self) -> dict[str, Path]:
        """The sets of people that are given, by name."""
        sets = {"lfw": self.lfw, "pairs": self.pairs}
        return {name: folder for name, folder in sets.items() if folder is not None}

    @property
    def landmarks(self) -> Path:
        """The file with the landmarks of the training images, if it is there."""
        return self.data / "train" / FACES_CSV


@dataclass(frozen=True)
class Task:
    """One run: a part of the benchmark, a variant of it and a seed."""

    part: str
    variant: Variant
    seed: int

    @property
    def name(self) -> str:
        """Identifier, used in file names."""
        return f"{self.part}-{self.variant.name}-{self.seed}"


@dataclass(frozen=True)
class Plan:
    """What all runs share.

    Attributes:
        scale: Their size.
        sources: Where the images are.
        out: Folder for results, checkpoints and states.
        minutes: Training time of each run; without one, the scale's epochs count.
        jobs: Runs at a time, each in a process of its own with one thread; 0 trains
            in this process and judges beside it, which suits a GPU.
    """

    scale: Scale
    sources: Sources
    out: Path
    minutes: float | None = None
    jobs: int = 0

    def result(self, task: Task) -> Path:
        """Where the result of a run is written, when it is done."""
        return self.out / f"{task.name}.json"

    def checkpoint(self, task: Task) -> Path:
        """Where its encoder is, when it is trained."""
        return self.out / f"{task.name}.ckpt"

    def state(self, task: Task) -> Path:
        """What is needed to go on with it, while it is trained."""
        return self.out / f"{task.name}.state"

    def failure(self, task: Task) -> Path:
        """Why it failed, if it did; the last line says it in short."""
        return self.out / f"{task.name}.failed"

    def reason(self, task: Task) -> str | None:
        """Why it failed, in a line; None if it did not."""
        path = self.failure(task)
        if not path.exists():
            return None
        return f"failed: {path.read_text().strip().splitlines()[-1]}"


def all_tasks(scale: Scale) -> list[Task]:
    """The runs of a scale, most important ones first.

    The comparison and the controls come seed by seed, so that there is a whole table
    when a command ends early; then comes the ablation.
    """
    tasks = [
        Task(part, variant, seed)
        for seed in range(scale.seeds)
        for part in ("main", "controls")
        for variant in PARTS[part]
    ]
    return tasks + [
        Task("ablation", variant, seed)
        for seed in range(scale.ablation_seeds)
        for variant in PARTS["ablation"]
    ]
