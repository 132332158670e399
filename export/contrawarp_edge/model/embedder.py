"""From images to embeddings with an exported model, without PyTorch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.loading import (
    ImageLike,
    IsKnown,
    LoadedFile,
    Pixels,
    Prepare,
    load_files,
    prepared,
    to_pixels,
)
from contrawarp_edge.model.info import (
    INPUT_NAME,
    OUTPUT_NAME,
    SCORES_NAME,
    ModelInfo,
)
from contrawarp_edge.model.session import open_session
from contrawarp_edge.search.vectors import (
    Mask,
    Probabilities,
    Vectors,
    are_probabilities,
)

# The model turns its input into floats, so large photographs go in few at a time.
_MAX_BATCH_BYTES = 16 << 20
# Files that need no decoding are reported in groups of this size.
_MAX_WINDOW = 512
_NO_UNIT = "no unit vector"
_NO_PROBABILITIES = "no probabilities"


@dataclass(frozen=True)
class Outputs:
    """What one model makes of n images.

    Attributes:
        embeddings: float32 ``(n, D)``, rows of unit length.
        scores: float32 ``(n, C)``, the probabilities of ``ModelInfo.classes``; C is 0
            if the model has none.
    """

    embeddings: Vectors
    scores: Probabilities

    @classmethod
    def empty(cls, count: int, info: ModelInfo) -> Outputs:
        """Room for those of some images."""
        return cls(
            np.empty((count, info.dim), np.float32),
            np.empty((count, len(info.classes)), np.float32),
        )

    @classmethod
    def joined(cls, parts: Sequence[Outputs]) -> Outputs:
        """Those of several batches of one model, at least one."""
        return cls(
            np.concatenate([part.embeddings for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    def problems(self) -> list[str]:
        """For each row what is wrong with it, the empty text if it can be used."""
        units, sums = is_unit(self.embeddings), are_probabilities(self.scores)
        return [
            "" if unit and one else _NO_UNIT if not unit else _NO_PROBABILITIES
            for unit, one in zip(units, sums, strict=True)
        ]


@dataclass(frozen=True)
class FileBatch:
    """What became of some consecutive files; together they cover every path once.

    Attributes:
        paths: The n files that were embedded.
        sha256: Their n hashes.
        embeddings: float32 ``(n, D)``, row i for ``paths[i]``.
        scores: float32 ``(n, C)``, their probabilities as in ``Outputs``.
        known: Files that were passed over because they are known, with their hashes.
        failed: Files that could not be used, each with the reason.
        may_pass: Those of the failed ones that another try may be able to read.
    """

    paths: list[Path]
    sha256: list[str]
    embeddings: Vectors
    scores: Probabilities
    known: list[tuple[Path, str]]
    failed: list[tuple[Path, str]]
    may_pass: list[Path]


class Embedder:
    """An exported model, ready to embed images.

    Args:
        model: The ``.onnx`` file written by ``contrawarp-export``.
        batch_size: Most images in one run of the model.
        threads: Threads for one run; onnxruntime's choice if None.
        providers: onnxruntime execution providers; the CPU if None.

    Attributes:
        info: What the model says about itself.

    Raises:
        InputError: If the file is missing, no ONNX model, or another kind of model.
    """

    def __init__(
        self,
        model: Path | str,
        *,
        batch_size: int = 32,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size has to be at least 1, not {batch_size}")
        self.path = Path(model)
        self.batch_size = batch_size
        self.info: ModelInfo
        self._session, self.info = open_session(
            self.path, threads=threads, providers=providers
        )

    def embed(self, images: ImageLike | Iterable[ImageLike]) -> Vectors:
        """Embeds one image or many, as ``run`` does, and returns the embeddings."""
        return self.run(images).embeddings

    def run(self, images: ImageLike | Iterable[ImageLike]) -> Outputs:
        """Embeds one image or many, which may differ in size, and recognises them.

        Args:
            images: Paths, PIL images, or uint8 arrays ``(H, W, 3)`` RGB or ``(H, W)``
                grey, one or an iterable of them. They are not resized: the model
                does that.

        Returns:
            Rows in the order of the images; one image gives one row.

        Raises:
            InputError: If an image cannot be used, or the model returns something
                other than ``(N, D)`` unit vectors and ``(N, C)`` probabilities.
        """
        parts = []
        window: list[Pixels] = []
        for image in _as_iterable(images):
            window.append(to_pixels(image))
            if self._is_full(window):
                parts.append(self._run_pixels(window))
                window = []
        parts.append(self._run_pixels(window))
        result = Outputs.joined(parts)
        for number, problem in enumerate(result.problems()):
            if problem:
                raise InputError(f"{self.path}: returned {problem} for image {number}")
        return result

    def embed_files(
        self,
        paths: Iterable[Path],
        *,
        is_known: IsKnown | None = None,
        every: float | None = None,
        prepare: Prepare | None = None,
    ) -> Iterator[FileBatch]:
        """Embeds files, decoding ahead in threads; bad files stop nothing.

        Args:
            paths: Image files.
            is_known: Whether a path with a hash need not be embedded, called in the
                consumer's thread; None to embed all.
            every: Seconds between two frames of a video, which take its place with
                paths such as ``clip.mp4#t=12.500``; videos are refused if None.
            prepare: What to embed of each image, such as its aligned face. Where it
                raises an ``InputError``, the image has failed. Called in several
                threads at once.

        Yields:
            Batches of at most ``batch_size`` embedded files, in the order of
            ``paths``.

        Raises:
            InputError: If the model cannot be run or returns another shape.
        """
        window: list[LoadedFile] = []
        pixels: list[Pixels] = []
        then = partial(prepared, prepare=prepare)
        for file in load_files(paths, is_known, then, every):
            window.append(file)
            if file.pixels is not None:
                pixels.append(file.pixels)
            if self._is_full(pixels) or len(window) == _MAX_WINDOW:
                yield self._file_batch(window)
                window, pixels = [], []
        if window:
            yield self._file_batch(window)

    def _is_full(self, window: list[Pixels]) -> bool:
        size = sum(pixels.nbytes for pixels in window)
        return len(window) >= self.batch_size or size >= _MAX_BATCH_BYTES

    def _file_batch(self, window: list[LoadedFile]) -> FileBatch:
        decoded = [file for file in window if file.pixels is not None]
        outputs = self._run_pixels([f.pixels for f in decoded if f.pixels is not None])
        problems = outputs.problems()
        good = [row for row, problem in enumerate(problems) if not problem]
        failed = [(file.path, file.problem) for file in window if file.problem]
        failed += [
            (file.path, f"the model returned {problem} for it")
            for file, problem in zip(decoded, problems, strict=True)
            if problem
        ]
        return FileBatch(
            paths=[decoded[row].path for row in good],
            sha256=[decoded[row].sha256 for row in good],
            embeddings=outputs.embeddings[good],
            scores=outputs.scores[good],
            known=[
                (file.path, file.sha256)
                for file in window
                if file.pixels is None and not file.problem
            ],
            failed=failed,
            may_pass=[file.path for file in window if file.may_pass],
        )

    def _run_pixels(self, images: list[Pixels]) -> Outputs:
        result = Outputs.empty(len(images), self.info)
        for rows in same_shape(images):
            part = self._run(np.stack([images[row] for row in rows]))
            result.embeddings[rows], result.scores[rows] = part.embeddings, part.scores
        return result

    def _run(self, batch: Pixels) -> Outputs:
        expected = Outputs.empty(len(batch), self.info)
        names = [OUTPUT_NAME] + [SCORES_NAME] * bool(self.info.classes)
        try:
            embeddings, *scores = self._session.run(names, {INPUT_NAME: batch})
        except Exception as error:  # onnxruntime's errors share no base class
            reason = str(error).splitlines()[0]
            raise InputError(f"{self.path}: the model failed ({reason})") from error
        if embeddings.shape != expected.embeddings.shape:
            raise InputError(
                f"{self.path}: returned shape {embeddings.shape} for {len(batch)} "
                f"images although its metadata says dim {self.info.dim}"
            )
        outputs = Outputs(embeddings, scores[0] if scores else expected.scores)
        if outputs.scores.shape != expected.scores.shape:
            raise InputError(
                f"{self.path}: returned scores of shape {outputs.scores.shape} for "
                f"{len(batch)} images and {len(self.info.classes)} classes"
            )
        return outputs


def same_shape(images: Sequence[Pixels]) -> list[list[int]]:
    """Groups positions in a sequence by the shape of the image that stands there."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for position, image in enumerate(images):
        groups[image.shape].append(position)
    return list(groups.values())


def is_unit(embeddings: Vectors) -> Mask:
    """Tells for each row of ``(N, D)`` whether it is finite and of length 1."""
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    return np.asarray(np.abs(lengths - 1) < 0.01)


def _as_iterable(images: ImageLike | Iterable[ImageLike]) -> Iterable[ImageLike]:
    if isinstance(images, (str, Path, Image.Image)):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim < 4:
        return [images]
    return images
