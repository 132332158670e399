"""Pages show what anybody may have called a file, and run nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge.gallery.records import Hit
from contrawarp_edge.pages import clusters, hits
from contrawarp_edge.pages import map as map_page

EVIL = "</script><img src=x onerror=alert(1)>\x1b\"'&"
SHOWN = "</script><img src=x onerror=alert(1)>?\"'&"
Pages = dict[str, str]


class Parsed(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(
        self, tag: str, attributes: list[tuple[str, str | None]]
    ) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def pages(make_images: Callable[..., list[Path]], tmp_path: Path) -> Pages:
    face = str(make_images(1)[0])
    gallery = tmp_path / "a<b>.gallery"
    hit = Hit(1, 0.5, EVIL, {EVIL: EVIL, "n": 3})
    question = hits.Question([face], [EVIL], [EVIL])
    row = clusters.ClusterRow(0, 1234, 0.5, [(face, 1.0), (EVIL, 0.25)])
    images = [map_page.MapImage(1, face, EVIL), map_page.MapImage(2, EVIL, "")]
    points = np.array([[0.0, 1.0], [2.0, 3.0]])
    return {
        "hits": hits.render(question, gallery, 1234, [hit, Hit(2, 0.25, face, {})]),
        "clusters": clusters.render(gallery, 1234, [row]),
        "map": map_page.render(gallery, 1234, images, points, EVIL),
    }


@pytest.mark.parametrize("name", ["hits", "clusters", "map"])
def test_names_are_text(pages: Pages, name: str) -> None:
    parsed = Parsed(pages[name])
    shown = [*parsed.texts, *(str(a.get("title")) for _, a in parsed.tags)]
    assert SHOWN in " ".join(shown)
    assert "\x1b" not in pages[name]
    for tag, attributes in parsed.tags:
        assert "onerror" not in attributes
        if tag == "img":
            assert str(attributes["src"]).startswith("data:image/jpeg;base64,")
    scripts = [tag for tag, _ in parsed.tags if tag == "script"]
    assert len(scripts) == (name == "map")
    policy = next(a["content"] for _, a in parsed.tags if "http-equiv" in a)
    assert ("script-src" in str(policy)) == (name == "map")
    assert str(policy).startswith("default-src 'none'; img-src data:; ")


def test_numbers_and_notes(pages: Pages) -> None:
    text = {name: " ".join(Parsed(page).texts) for name, page in pages.items()}
    assert "2 most similar of 1,234" in text["hits"]
    assert f"{SHOWN}: {SHOWN} · n: 3" in " ".join(text["hits"].split())
    assert pages["hits"].count("original not readable") == 2
    assert "1,234 images, mean score 0.500" in text["clusters"]
    assert "Map of 2 of 1,234 images" in text["map"]
    assert '"x": 2.0, "y": 3.0' in pages["map"]
