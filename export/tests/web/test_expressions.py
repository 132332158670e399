"""What a model with classes recognises, on the page and on the static site."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving.browsing import NewPage, Serve, give, names, open_page, wait_for_hits

from contrawarp_edge import Embedder, Gallery
from contrawarp_edge.ingest.embed import embed_into
from contrawarp_edge.web.site import SiteSettings, build_site

pytestmark = pytest.mark.slow


@pytest.fixture
def model(recogniser: Path) -> Path:
    return recogniser


@pytest.fixture
def gallery_path(tmp_path: Path, model: Path, faces: list[Path]) -> Path:
    embed_into(tmp_path / "faces.gallery", Embedder(model), faces)
    return tmp_path / "faces.gallery"


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


def test_bars_and_a_filter(page: Any, faces: list[Path], gallery_path: Path) -> None:
    with Gallery.open(gallery_path, readonly=True) as gallery:
        records = {Path(r.path).name: r for r in gallery.iter_records()}
        label, count = next(iter(gallery.expressions().items()))
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
