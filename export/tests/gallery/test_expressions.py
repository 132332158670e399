"""What a model with classes recognised, as a gallery keeps it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrawarp_edge import Embedder, Gallery, InputError, ModelInfo, Record
from contrawarp_edge.core.errors import DamagedError
from contrawarp_edge.gallery.conditions import parse_condition
from contrawarp_edge.gallery.ranking import ranked
from contrawarp_edge.gallery.store import schema
from contrawarp_edge.ingest.embed import embed_into

CLASSES = ("angry", "happy", "neutral")
# Most probable: happy, neutral, happy, angry.
SCORES = np.array([[1, 7, 2], [2, 3, 5], [0, 9, 1], [8, 2, 0]], np.float32) / 10
PEOPLE = [{"identity": "a"}, {"identity": "a", "expression": "sad"}, {}, None]


@pytest.fixture
def named(info: ModelInfo) -> ModelInfo:
    return replace(info, classes=CLASSES)


@pytest.fixture
def path(tmp_path: Path, named: ModelInfo) -> Path:
    rng = np.random.default_rng(0)
    with Gallery.create(tmp_path / "a.gallery", named) as gallery:
        gallery.add(
            Record(
                *(f"{number}.png", str(number), rng.normal(size=8), metadata),
                scores=dict(zip(CLASSES, scores.tolist(), strict=True)),
            )
            for number, (scores, metadata) in enumerate(
                zip(SCORES, PEOPLE, strict=True), start=1
            )
        )
    return tmp_path / "a.gallery"


def ids(records: Iterable[Record]) -> list[int | None]:
    return [record.id for record in records]


def test_scores_come_back(path: Path) -> None:
    with Gallery.open(path, readonly=True) as gallery:
        records = list(gallery.iter_records())
        (hits,) = gallery.search(records[1].embedding, k=1)
        assert gallery.expressions() == {"happy": 2, "angry": 1, "neutral": 1}
    found = [[record.scores[name] for name in CLASSES] for record in records]
    np.testing.assert_array_equal(np.array(found, np.float32), SCORES)
    assert [r.expression for r in records] == ["happy", "neutral", "happy", "angry"]
    assert hits[0].scores == records[1].scores
    assert hits[0].expression == "neutral"


def test_scores_of_other_classes_are_refused(path: Path) -> None:
    record = Record("x.png", "x", np.ones(8), scores={"sad": 1.0})
    with (
        Gallery.open(path) as gallery,
        pytest.raises(InputError, match="scores of sad"),
    ):
        gallery.add([record])


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("expression=happy", [1, 3]),
        ("expression!=happy", [2, 4]),
        ("expression=neutral", []),  # metadata of the second says something else
        ("expression=sad", [2]),
        ("expression>=happy", [1, 2, 3]),
    ],
)
def test_conditions(path: Path, condition: str, expected: list[int]) -> None:
    with Gallery.open(path, readonly=True) as gallery:
        where = [parse_condition(condition)]
        assert ids(gallery.iter_records(where)) == expected
        (hits,) = gallery.search(np.ones(8), where=where)
        assert sorted(hit.id for hit in hits) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"sort": "happy"}, [3, 1, 2, 4]),
        ({"sort": "angry", "limit": 2}, [4, 2]),
        ({"sort": "neutral", "best_of": "identity"}, [2]),
        ({"best_of": "identity"}, [1]),
    ],
)
def test_order(
    path: Path, named: ModelInfo, options: dict[str, str], expected: list[int]
) -> None:
    with Gallery.open(path, readonly=True) as gallery:
        found = ranked(gallery.iter_records(), named, **options)  # type: ignore[type-var, arg-type]
    assert ids(found) == expected


@pytest.mark.parametrize("scores", [(np.nan, 1, 0), (-0.5, 1, 0.5), (5, 0, 0)])
def test_scores_are_probabilities(path: Path, scores: tuple[float, ...]) -> None:
    record = Record(
        "x.png", "x", np.ones(8), scores=dict(zip(CLASSES, scores, strict=True))
    )
    with (
        Gallery.open(path) as gallery,
        pytest.raises(InputError, match=r"x\.png: its scores are no probabilities"),
    ):
        gallery.add([record])


def test_equal_ones_keep_their_order(named: ModelInfo) -> None:
    values = [("a", 0.1), ("b", 0.5), ("a", 0.5), ("c", 0.2), ("c", 0.2)]
    records = [
        Record(str(number), "", np.ones(8), {"x": value}, scores={"happy": score})
        for number, (value, score) in enumerate(values)
    ]
    found = ranked(records, named, sort="happy", best_of="x")
    assert [record.path for record in found] == ["1", "2", "3"]


def test_unknown_classes(info: ModelInfo, named: ModelInfo) -> None:
    with pytest.raises(InputError, match=r"sad: no class .* angry, happy, neutral"):
        ranked([], named, sort="sad")
    with pytest.raises(InputError, match=r"sad: the model has no classes; .*--labels"):
        ranked([], info, sort="sad")


@pytest.mark.parametrize("change", ["expression = 'angry'", "scores = zeroblob(12)"])
def test_no_part_of_them_can_change(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE images SET {change} WHERE id = 1")
    with (
        Gallery.open(path, readonly=True) as gallery,
        pytest.raises(DamagedError, match=r"image 1 .*checksum"),
    ):
        gallery.get(1)


def test_galleries_of_version_3(tmp_path: Path, info: ModelInfo) -> None:
    path = tmp_path / "b.gallery"
    with Gallery.create(path, info) as gallery:
        gallery.add([Record("x.png", "x", np.ones(8))])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE images DROP COLUMN expression")
        connection.execute("ALTER TABLE images DROP COLUMN scores")
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        old = {**meta, "schema_version": "3"}
        old["checksum"] = schema._checksum(old)
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", old.items())
    for readonly in (True, False, True):
        with Gallery.open(path, readonly=readonly) as gallery:
            record = gallery.get(1)
            assert record is not None
            assert record.scores == {}
            assert record.expression is None
            assert gallery.expressions() == {}


def test_embedding_fills_them_in(
    recogniser: Path,
    tmp_path: Path,
    make_images: Callable[..., list[Path]],
    reference_scores: Callable[..., np.ndarray],
) -> None:
    paths = make_images(4)
    copy = paths[0].with_name("copy.png")
    gallery_path = tmp_path / "c.gallery"
    embed_into(gallery_path, Embedder(recogniser), paths)
    copy.write_bytes(paths[0].read_bytes())
    outcome = embed_into(gallery_path, Embedder(recogniser), [*paths, copy])
    assert outcome.copied == 1
    with Gallery.open(gallery_path, readonly=True) as gallery:
        for path in [*paths, copy]:
            record = gallery.get(str(path))
            assert record is not None
            expected = reference_scores(np.asarray(Image.open(path)), 3)
            np.testing.assert_allclose(
                list(record.scores.values()), expected, atol=1e-5
            )
