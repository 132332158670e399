"""What a model with classes recognises, on the page and on the static site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from serving.browsing import (
    NewPage,
    Serve,
    give,
    names,
    open_page,
    ranking,
    wait_for_hits,
    wait_for_names,
)

from contrawarp_edge import Embedder, Gallery, Record
from contrawarp_edge.ingest.embed import embed_into
from contrawarp_edge.web.site import SiteSettings, build_site

pytestmark = pytest.mark.slow

Order = Callable[[Iterable[str]], list[str]]


@pytest.fixture
def model(recogniser: Path) -> Path:
    return recogniser


@pytest.fixture
def gallery_path(tmp_path: Path, model: Path, faces: list[Path]) -> Path:
    """Image i is of person i % 3."""

    def person(path: Path) -> dict[str, Any]:
        return {"person": f"p{int(path.stem) % 3}"}

    path = tmp_path / "faces.gallery"
    embed_into(path, Embedder(model), faces, describe=person)
    return path


@pytest.fixture
def records(gallery_path: Path) -> dict[str, Record]:
    """Records by the names of their files."""
    with Gallery.open(gallery_path, readonly=True) as gallery:
        return {Path(r.path).name: r for r in gallery.iter_records()}


@pytest.fixture(params=["service", "site"])
def page(
    request: pytest.FixtureRequest,
    new_page: NewPage,
    tmp_path: Path,
    model: Path,
    gallery_path: Path,
) -> Any:
    if request.param == "service":
        serve: Serve = request.getfixturevalue("serve")
        address = serve().address
    else:
        deliver: Callable[[Path], str] = request.getfixturevalue("deliver")
        runtime = request.getfixturevalue("runtime")
        build_site(model, gallery_path, tmp_path / "site", runtime, SiteSettings())
        address = deliver(tmp_path / "site")
    return open_page(new_page(viewport={"width": 1200, "height": 900}), address)


@pytest.fixture
def by_happy(records: dict[str, Record]) -> Order:
    return lambda names: sorted(names, key=lambda n: -records[n].scores["happy"])


@pytest.fixture
def best_of_people(by_happy: Order) -> Order:
    def order(names: Iterable[str]) -> list[str]:
        best = {int(name[:4]) % 3: name for name in reversed(by_happy(names))}
        return by_happy(best.values())

    return order


def most_frequent(records: dict[str, Record]) -> tuple[str, int]:
    counts = Counter(str(record.expression) for record in records.values())
    return counts.most_common(1)[0]


def choose(page: Any, label: str, option: str) -> None:
    page.get_by_label(label).select_option(label=option)


def status(page: Any) -> str:
    return page.locator("#status").inner_text()


def test_bars_and_a_filter(
    page: Any, faces: list[Path], records: dict[str, Record]
) -> None:
    label, count = most_frequent(records)
    give(page, faces[6])
    record = records[faces[6].name]
    best = sorted(record.scores.items(), key=lambda pair: -pair[1])
    expected = [part for name, p in best for part in (name, f"{100 * p:.0f} %")]
    for bars in ("#like .bars", ".card:first-child .bars"):
        assert page.locator(bars).first.inner_text().split("\n") == expected
    chosen = f"{label} ({count})"
    page.get_by_label("expression").select_option(label=chosen)
    page.locator("#status", has_text=f"{count} of 30 faces").wait_for()
    wait_for_hits(page)
    assert {records[name].expression for name in names(page)} == {label}


def test_order_and_the_best_of_each(
    page: Any,
    gallery_path: Path,
    records: dict[str, Record],
    by_happy: Order,
    best_of_people: Order,
) -> None:
    choose(page, "Sort by", "happy")
    wait_for_names(page, by_happy(records)[:24])
    assert status(page) == "24 of 30 faces, sorted by happy"
    firsts = page.locator(".card .bars dt:first-child").all_text_contents()
    assert firsts == ["happy"] * 24
    page.click("#more")
    wait_for_names(page, by_happy(records))

    choose(page, "Best of each", "person")
    wait_for_names(page, best_of_people(records))
    assert status(page) == "3 of 30 faces, sorted by happy, best of each person"
    label, count = most_frequent(records)
    fitting = [name for name, r in records.items() if r.expression == label]
    best = best_of_people(fitting)
    choose(page, "expression", f"{label} ({count})")
    wait_for_names(page, best)

    page.locator(".pick").first.click()
    page.locator(f"#like img[alt='{best[0]}']").wait_for()
    wait_for_hits(page)
    assert page.locator("#like .bars dt").count() == 3
    others = [name for name in fitting if name != best[0]]
    wait_for_names(page, best_of_people(others))
    choose(page, "Best of each", "show all")
    wait_for_names(page, by_happy(others))
    page.locator("#clear").click()
    hits = ranking(gallery_path, records[best[0]].embedding)[1:]
    wait_for_names(page, hits[:24])


def test_the_best_of_each_may_be_further_away_than_what_is_shown(
    page: Any,
    faces: list[Path],
    gallery_path: Path,
    records: dict[str, Record],
    best_of_people: Order,
) -> None:
    found = {n: ranking(gallery_path, r.embedding) for n, r in records.items()}
    name, hits = next(
        (name, hits)
        for name, hits in found.items()
        if best_of_people(hits) != best_of_people(hits[:24])
    )
    give(page, faces[int(name[:4])])
    choose(page, "Sort by", "happy")
    choose(page, "Best of each", "person")
    wait_for_names(page, best_of_people(hits))


def test_on_a_narrow_screen(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    choose(page, "Sort by", "happy")
    page.locator("#status", has_text="sorted by happy").wait_for()
    page.locator("#best-of").scroll_into_view_if_needed()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
