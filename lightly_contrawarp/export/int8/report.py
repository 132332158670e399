"""What quantisation to 8 bits changed, as a table and as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lightly_contrawarp.evaluation.results import Results, format_tables
from lightly_contrawarp.evaluation.tables import Table, with_interval
from lightly_contrawarp.export.exported_file import ExportedFile
from lightly_contrawarp.export.int8.agreement import Agreement
from lightly_contrawarp.export.int8.speed import THREADS, Speed

MIN_OVERLAP = 0.90
"""An int8 model that shares fewer neighbours with fp32 is not written."""

ENOUGH_OVERLAP = 0.95
"""If fewer are shared with 8-bit activations, these stay in fp32."""


@dataclass(frozen=True)
class Int8Report:
    """An int8 model beside the fp32 model that it was made of.

    Attributes:
        fp32: The one file.
        int8: The other.
        folder: Where the images came from.
        calibrated_on: Number of images that activations were calibrated on; 0 if only
            weights are quantised.
        seed: Seed by which they were drawn.
        agreement: On images that it was not calibrated on.
        passed_over: The agreement with activations of 8 bits too, if that was less
            than `ENOUGH_OVERLAP` and only weights are quantised; None otherwise.
        unreadable: A line for each image of the folder that could not be used.
        speed: An entry for each size of batch.
        tasks: What ``contrawarp evaluate`` measures on labelled images for both, or
            None.
        versions: Of the software.
    """

    fp32: ExportedFile
    int8: ExportedFile
    folder: Path
    calibrated_on: int
    seed: int
    agreement: Agreement
    passed_over: Agreement | None
    unreadable: list[str]
    speed: list[Speed]
    tasks: Results | None
    versions: dict[str, str]

    @property
    def is_close(self) -> bool:
        """Whether enough neighbours are shared, `MIN_OVERLAP`."""
        return self.agreement.overlap.value >= MIN_OVERLAP

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON can hold."""
        return {
            "fp32": self.fp32.to_dict(),
            "int8": self.int8.to_dict(),
            "calibration": {
                "folder": str(self.folder),
                "images": self.calibrated_on,
                "seed": self.seed,
            },
            "quantized": "weights and activations" if self.calibrated_on else "weights",
            "agreement": asdict(self.agreement),
            "passed_over": asdict(self.passed_over) if self.passed_over else None,
            "unreadable": self.unreadable,
            "lowest_overlap_allowed": MIN_OVERLAP,
            "enough_overlap": ENOUGH_OVERLAP,
            "speed": {"threads": THREADS, "batches": [asdict(s) for s in self.speed]},
            "tasks": self.tasks.to_dict() if self.tasks else None,
            "versions": self.versions,
        }

    def table(self) -> Table:
        """The measures side by side."""
        overlap, found = self.agreement.overlap, self.agreement
        before, after = self.fp32.size, self.int8.size
        return Table(
            title="int8 beside fp32",
            note=self._note(),
            header=["measure", "fp32", "int8", "int8 to fp32"],
            rows=[
                ["size, MB", *_pair(before / 1e6, after / 1e6), f"{after / before:.2f}"]
            ]
            + [
                [
                    f"ms an image, batch {speed.batch}",
                    *_pair(speed.reference_ms, speed.other_ms),
                    f"{speed.ratio:.2f} times as fast",
                ]
                for speed in self.speed
            ]
            + [
                [
                    f"of {found.nearest} nearest, shared (%)",
                    "",
                    "",
                    with_interval(overlap.value, overlap.interval),
                ],
                [
                    "cosine, mean and lowest",
                    "",
                    "",
                    f"{found.mean_cosine:.4f}, {found.lowest_cosine:.4f}",
                ],
            ],
        )

    def _note(self) -> str:
        images = f"{self.agreement.images:,}"
        if self.passed_over is None:
            what = (
                "Weights and activations have 8 bits, calibrated on "
                f"{self.calibrated_on:,} images and compared on {images} others"
            )
        else:
            what = (
                "Only weights have 8 bits, because with activations of 8 bits too, "
                f"{100 * self.passed_over.overlap.value:.1f} % were shared, less than "
                f"{100 * ENOUGH_OVERLAP:.0f} %. Compared on {images} images"
            )
        return f"{what}; one thread, medians."

    def to_text(self) -> str:
        """All tables for a terminal."""
        own = self.table()
        parts = [own.to_text(), own.note]
        if self.tasks:
            parts += ["", format_tables(self.tasks.encoders)]
        return "\n".join(parts)


def _pair(fp32: float, int8: float) -> list[str]:
    return [f"{fp32:.3g}", f"{int8:.3g}"]
