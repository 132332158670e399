"""What can be asked of ``search``, and how it answers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from contrawarp_edge import Gallery
from contrawarp_edge.cli import main
from contrawarp_edge.search.query import combined


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def hits(*arguments: object) -> list[dict[str, Any]]:
    result = run("search", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def gallery(
    tmp_path: Path, model: Path, make_images: Callable[..., list[Path]]
) -> Path:
    path = tmp_path / "faces.gallery"
    paths = make_images(60)
    lines = ["path,age,set,identity"]
    lines += [f"faces/{p.name},{n},{'ab'[n % 2]},p{n % 5}" for n, p in enumerate(paths)]
    lines[-1] = f"faces/{paths[-1].name},,,"
    table = tmp_path / "table.csv"
    table.write_text("\n".join(lines))
    folder = tmp_path / "faces"
    result = run("embed", model, folder, "--gallery", path, "--metadata", table)
    assert result.exit_code == 0, result.output
    assert "metadata for 59 of 60 images" in result.stdout
    return path


def stored(gallery: Path) -> np.ndarray:
    with Gallery.open(gallery, readonly=True) as opened:
        return opened.matrix().take(np.arange(1, 61))


def ranked(vectors: np.ndarray, query: np.ndarray) -> list[int]:
    return (1 + np.argsort(-(vectors.astype(float) @ query), kind="stable")).tolist()


def test_by_id_needs_no_model(gallery: Path, model: Path) -> None:
    model.unlink()
    vectors = stored(gallery)
    found = hits(gallery, "--id", 9, "-k", 5)
    assert [hit["id"] for hit in found] == ranked(vectors, vectors[8])[1:6]


def test_examples_and_counter_examples(gallery: Path, tmp_path: Path) -> None:
    vectors = stored(gallery)
    image, unlike = (tmp_path / "faces" / f"00{n}.png" for n in (10, 30))
    query = combined(vectors[[10, 3, 4]], vectors[[30, 6]])
    found = hits(
        gallery, image, "--id", 4, "--id", 5, "--not", unlike, "--not-id", 7, "-k", 8
    )
    expected = [id for id in ranked(vectors, query) if id not in (4, 5)]
    assert [hit["id"] for hit in found] == expected[:8]
    scores = [vectors[hit["id"] - 1] @ query for hit in found]
    assert [hit["score"] for hit in found] == pytest.approx(scores, abs=1e-5)


def test_conditions(gallery: Path) -> None:
    everything = hits(gallery, "--id", 1, "-k", 99)
    assert len(everything) == 59
    for arguments, fits in [
        (["--where", "set=a"], lambda facts: facts.get("set") == "a"),
        (["--where", "set!=a"], lambda facts: facts.get("set") == "b"),
        (["--where", "age>=50"], lambda facts: facts.get("age", 0) >= 50),
        (
            ["--where", "age<9", "--where", "set=b"],
            lambda facts: facts.get("age", 99) < 9 and facts["set"] == "b",
        ),
        (["--other-people"], lambda facts: facts.get("identity", "p0") != "p0"),
        (["--added-since", "2000-01-01"], lambda facts: True),
        (["--added-before", "2000-01-01"], lambda facts: False),
    ]:
        found = hits(gallery, "--id", 1, "-k", 99, *arguments)
        expected = [hit["id"] for hit in everything if fits(hit["metadata"])]
        assert [hit["id"] for hit in found] == expected


def test_min_score_and_distinct(gallery: Path) -> None:
    everything = hits(gallery, "--id", 1, "-k", 99)
    limit = everything[20]["score"]
    found = hits(gallery, "--id", 1, "-k", 99, "--min-score", limit - 1e-9)
    assert [hit["id"] for hit in found] == [hit["id"] for hit in everything[:21]]
    vectors = stored(gallery)
    found = hits(gallery, "--id", 1, "-k", 9, "--distinct", 0.9)
    rows = vectors[[hit["id"] - 1 for hit in found]]
    products = rows @ rows.T - 2 * np.eye(len(rows))
    assert products.max() < 0.9
    assert found[0] == everything[0]


def test_csv_has_original_paths(gallery: Path) -> None:
    strange = 'new\nline, "x".png'
    with Gallery.open(gallery) as opened:
        row = opened.get(1)
        assert row is not None
        opened.add([type(row)(strange, "", row.embedding, {"tags": ["x", 1]})])
    result = run("search", gallery, "--id", 1, "-k", 2, "--csv")
    first, second = csv.DictReader(io.StringIO(result.stdout))
    assert (first["rank"], first["path"], first["score"]) == ("1", strange, "1.000000")
    assert first["metadata.tags"] == '["x", 1]'
    assert first["metadata.age"] == ""
    assert second["metadata.identity"].startswith("p")
    table = run("search", gallery, "--id", 1, "-k", 1).stdout
    assert 'new?line, "x".png' in table


def test_page_shows_the_question(gallery: Path, tmp_path: Path) -> None:
    page = tmp_path / "hits.html"
    image = tmp_path / "faces" / "0010.png"
    options = ["--where", "age<40", "--min-score", "-0.5", "--other-people"]
    result = run(
        *("search", gallery, image, "--id", 3, "--not-id", 20, "-k", 4),
        *(*options, "--html", page),
    )
    assert result.exit_code == 0, result.output
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == 7
    assert text.count('class="not"') == 1
    for part in ("age&lt;40", "score at least -0.5", "other people", "identity: p"):
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name an image"),
        (["--id", 99], "has no image with id 99"),
        (["--id", 1, "--not-id", 99], "has no image with id 99"),
        (["--id", 60, "--other-people"], "does not know who it is"),
        (["--id", 1, "--where", "age"], "'age': not a condition"),
        (["--id", 1, "--added-since", "soon"], "'soon': not a date"),
        (["--id", 1, "--json", "--csv"], "exclude each other"),
        (["--id", 1, "--not-id", 1, "--min-score", 2], "Invalid value"),
    ],
)
def test_errors(gallery: Path, arguments: list[object], message: str) -> None:
    result = run("search", gallery, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_other_people_than_an_unknown_image(
    gallery: Path, make_images: Callable[..., list[Path]]
) -> None:
    (new,) = make_images(1, folder="new")
    result = run("search", gallery, new, "--other-people")
    assert result.exit_code == 2
    assert "--where identity!=NAME" in result.stderr
