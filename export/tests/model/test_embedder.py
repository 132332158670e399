from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrawarp_edge import Embedder, InputError, ModelInfo
from contrawarp_edge.search.vectors import are_probabilities


def random_images(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_mixed_sizes_keep_their_order(
    model: Path, reference: Callable[..., np.ndarray], batch_size: int
) -> None:
    images = random_images([(8, 9, 3), (5, 5, 3), (8, 9, 3), (1, 1, 3)] * 3)
    embeddings = Embedder(model, batch_size=batch_size).embed(iter(images))
    assert embeddings.dtype == np.float32
    expected = np.stack([reference(image) for image in images])
    np.testing.assert_allclose(embeddings, expected, atol=1e-6)


def test_all_kinds_of_images(
    model: Path, tmp_path: Path, reference: Callable[..., np.ndarray]
) -> None:
    (pixels,) = random_images([(12, 10, 3)])
    image = Image.fromarray(pixels)
    path = tmp_path / "a.png"
    image.save(path)
    embedder = Embedder(model, threads=1, providers=["CPUExecutionProvider"])
    expected = reference(pixels)[None]
    for one in (pixels, image, path, str(path), pixels[None], [pixels]):
        np.testing.assert_allclose(embedder.embed(one), expected, atol=1e-6)
    grey = pixels[:, :, 0]
    as_rgb = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(embedder.embed(grey), embedder.embed(as_rgb))


def test_no_image(model: Path) -> None:
    assert Embedder(model).embed([]).shape == (0, 8)


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8), 7],
)
def test_other_things_are_refused(model: Path, image: object) -> None:
    with pytest.raises(InputError, match="an image"):
        Embedder(model).embed([image])  # type: ignore[list-item]


def test_useless_output_is_noticed(model: Path) -> None:
    black = np.zeros((4, 4, 3), np.uint8)  # this model divides by its zero length
    white = np.full((4, 4, 3), 255, np.uint8)
    with pytest.raises(InputError, match="no unit vector for image 1"):
        Embedder(model).embed([white, black])


def test_wrong_dim_is_noticed(make_model: Callable[..., Path], info: ModelInfo) -> None:
    path = make_model(metadata=replace(info, dim=9).to_metadata())
    with pytest.raises(InputError, match="metadata says dim 9"):
        Embedder(path).embed(np.full((4, 4, 3), 255, np.uint8))


def test_files_stay_aligned(
    model: Path,
    tmp_path: Path,
    make_images: Callable[..., list[Path]],
    reference: Callable[..., np.ndarray],
) -> None:
    paths = make_images(50)
    bad = paths[10]
    bad.write_bytes(b"broken")
    black = paths[20]
    Image.new("RGB", (4, 4)).save(black)
    odd = paths[30]
    Image.new("RGB", (3, 7), "orange").save(odd)
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    missing = tmp_path / "missing.png"
    undecodable = tmp_path / os.fsdecode(b"\xff.png")
    embedder = Embedder(model, batch_size=8)

    batches = list(embedder.embed_files([*paths, pipe, missing, undecodable]))

    assert max(len(batch.paths) for batch in batches) == 8
    good = [path for batch in batches for path in batch.paths]
    assert good == [path for path in paths if path not in (bad, black)]
    embeddings = np.concatenate([batch.embeddings for batch in batches])
    expected = [reference(np.asarray(Image.open(path).convert("RGB"))) for path in good]
    np.testing.assert_allclose(embeddings, np.stack(expected), atol=1e-6)
    failed = dict(pair for batch in batches for pair in batch.failed)
    assert failed == {
        bad: "not an image that Pillow can read",
        black: "the model returned no unit vector for it",
        pipe: "not a regular file",
        missing: "No such file or directory",
        undecodable: "its name is not valid UTF-8; rename it",
    }


def test_known_files_are_passed_over(
    model: Path, make_images: Callable[..., list[Path]]
) -> None:
    paths = make_images(5)
    embedder = Embedder(model)
    (first,) = embedder.embed_files(paths)
    known = dict(zip(first.paths, first.sha256, strict=True))
    known[paths[3]] = "another"
    (second,) = embedder.embed_files(
        paths, is_known=lambda path, sha256: known.get(path) == sha256
    )
    assert second.paths == [paths[3]]
    assert [path for path, _ in second.known] == [*paths[:3], paths[4]]
    np.testing.assert_allclose(second.embeddings, first.embeddings[3:4], atol=1e-6)


def test_scores_come_with_the_embeddings(
    recogniser: Path,
    make_images: Callable[..., list[Path]],
    reference_scores: Callable[..., np.ndarray],
) -> None:
    paths = make_images(5)
    embedder = Embedder(recogniser, batch_size=2)
    outputs = embedder.run(paths)
    pixels = [np.asarray(Image.open(path)) for path in paths]
    expected = [reference_scores(image, 3) for image in pixels]
    assert outputs.scores.dtype == np.float32
    np.testing.assert_allclose(outputs.scores, expected, atol=1e-5)
    np.testing.assert_array_equal(outputs.embeddings, embedder.embed(paths))
    batches = list(embedder.embed_files(paths))
    scores = np.concatenate([batch.scores for batch in batches])
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_model_without_classes_has_no_scores(model: Path) -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    assert Embedder(model).run([white, white]).scores.shape == (2, 0)


def test_what_probabilities_are() -> None:
    rows = [[0.25, 0.75], [0.5, 0.6], [1.5, -0.5], [np.nan, 1]]
    found = are_probabilities(np.array(rows, np.float32))
    assert found.tolist() == [True, False, False, False]


_EMBEDDING = """
import os, sys
import numpy as np
from contrawarp_edge import Embedder
from contrawarp_edge.model import session_cache

def in_use():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

session_cache.MIN_BYTES = int(sys.argv[2])
embedder = Embedder(sys.argv[1])
embedder.embed(np.full((8, 8, 3), 7, np.uint8))
before = in_use()
embedder.embed(np.full((3000, 3000, 3), 7, np.uint8))
print(in_use() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@pytest.mark.parametrize("size", [1, 2 << 20])  # as it is, and as it was optimised
def test_memory_for_a_large_image_is_given_back(
    model: Path, tmp_path: Path, size: int
) -> None:
    """In a process of its own: others keep what they like."""
    grown = subprocess.run(
        [sys.executable, "-c", _EMBEDDING, str(model), str(size)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    as_floats = 4 * 3000 * 3000 * 3  # more than once
    assert int(grown.stdout) < as_floats / 2
