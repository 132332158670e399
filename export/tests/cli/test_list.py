from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import run

MakeImages = Callable[..., list[Path]]


@pytest.fixture
def gallery(recogniser: Path, tmp_path: Path, make_images: MakeImages) -> Path:
    """Twelve images of three people, embedded by a model with classes."""
    for path in make_images(12):
        path.rename(path.with_name(f"p{int(path.stem) % 3}_{path.name}"))
    words = ("--gallery", tmp_path / "a.gallery", "--identity-pattern", r"(p\d)_")
    result = run("embed", recogniser, tmp_path / "faces", *words)
    assert result.exit_code == 0, result.output
    return tmp_path / "a.gallery"


def listed(gallery: Path, *options: object) -> list[dict[str, Any]]:
    result = run("list", gallery, *options, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_conditions_and_order(gallery: Path) -> None:
    everything = listed(gallery)
    assert [row["id"] for row in everything] == list(range(1, 13))
    label = Counter(row["expression"] for row in everything).most_common()[0][0]
    chosen = listed(gallery, "--where", f"expression={label}", "--sort", label)
    expected = [row for row in everything if row["expression"] == label]
    expected.sort(key=lambda row: -row["scores"][label])
    assert chosen == expected
    others = listed(gallery, "--where", f"expression!={label}")
    assert len(others) + len(chosen) == 12
    assert listed(gallery, "--sort", label, "--limit", 2) == chosen[:2]


def test_the_best_of_each_person(gallery: Path) -> None:
    best = listed(gallery, "--sort", "happy", "--best-of", "identity")
    assert {row["metadata"]["identity"] for row in best} == {"p0", "p1", "p2"}
    for row in best:
        person = f"identity={row['metadata']['identity']}"
        rest = listed(gallery, "--where", person)
        assert row["scores"]["happy"] == max(r["scores"]["happy"] for r in rest)


def test_other_forms(gallery: Path, tmp_path: Path) -> None:
    page = tmp_path / "list.html"
    words = ("--limit", 3, "--where", "identity!=p9", "--html", page)
    lines = run("list", gallery, *words).stdout.splitlines()
    assert lines[0].split() == ["id", "expression", "next", "best", "path"]
    assert len(lines) == 4
    assert "identity!=p9" in page.read_text()
    rows = list(csv.DictReader(io.StringIO(run("list", gallery, "--csv").stdout)))
    assert [row["expression"] for row in rows] == [
        row["expression"] for row in listed(gallery)
    ]


def test_hits_are_ordered_within(gallery: Path) -> None:
    def search(*options: str) -> list[dict[str, Any]]:
        words = ("--id", "1", "-k", "8", "--json", *options)
        found: list[dict[str, Any]] = json.loads(run("search", gallery, *words).stdout)
        return found

    hits = {hit["id"]: hit["scores"]["happy"] for hit in search()}
    happy = [hit["id"] for hit in search("--sort", "happy")]
    assert happy == sorted(hits, key=hits.__getitem__, reverse=True)
    best = search("--best-of", "identity")
    assert [hit["rank"] for hit in best] == [1, 2, 3]
    assert best[0]["id"] == next(iter(hits))
    head = run("search", gallery, "--id", "1").stdout.splitlines()[0]
    assert head.split() == ["rank", "score", "id", "expression", "path"]
    columns = run("search", gallery, "--id", "1", "--csv").stdout.splitlines()[0]
    assert columns.startswith("rank,id,score,path,expression,scores.angry,")


def test_info_counts_expressions(gallery: Path) -> None:
    counts = json.loads(run("info", gallery, "--json").stdout)["expressions"]
    assert counts == Counter(row["expression"] for row in listed(gallery))
    assert "classes:          angry, happy, neutral" in run("info", gallery).stdout


def test_a_gallery_without_classes(
    model: Path, tmp_path: Path, make_images: MakeImages
) -> None:
    make_images(2)
    gallery = tmp_path / "b.gallery"
    run("embed", model, tmp_path / "faces", "--gallery", gallery)
    assert [row["expression"] for row in listed(gallery)] == [None, None]
    assert run("list", gallery).stdout.splitlines()[0].split() == ["id", "path"]
    for command in ("list", gallery), ("search", gallery, "--id", 1):
        result = run(*command, "--sort", "happy")
        assert result.exit_code == 2
        assert "happy: the model has no classes" in result.stderr
