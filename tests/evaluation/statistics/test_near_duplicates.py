import numpy as np
from PIL import Image, ImageEnhance

from lightly_contrawarp.evaluation.statistics.near_duplicates import (
    SIDE,
    THRESHOLD,
    near_duplicates,
    thumbnail,
)


def test_near_duplicates__are_pairs_of_large_correlation() -> None:
    rng = np.random.default_rng(0)
    train = rng.integers(256, size=(700, SIDE**2), dtype=np.uint8)
    mixed = 0.715 * train[:300] + 0.285 * rng.integers(256, size=(300, SIDE**2))
    expected = np.corrcoef(mixed.astype(np.uint8), train)[:300, 300:] > THRESHOLD
    found = near_duplicates(mixed.astype(np.uint8), train)
    np.testing.assert_array_equal(found.toarray(), expected)
    assert 0 < found.nnz < 300


def test_near_duplicates__neither_light_nor_contrast_nor_size_matters(
    pil_faces: list[Image.Image],
) -> None:
    changed = [
        ImageEnhance.Contrast(ImageEnhance.Brightness(face).enhance(0.8))
        .enhance(0.7)
        .resize((48, 48))
        for face in pil_faces
    ]
    small, other = (np.stack([*map(thumbnail, x)]) for x in (pil_faces, changed))
    assert near_duplicates(small, other).toarray().diagonal().all()


def test_near_duplicates__one_shade_is_like_nothing() -> None:
    plain = np.full((3, SIDE**2), 7, np.uint8)
    assert near_duplicates(plain, plain).nnz == 0
