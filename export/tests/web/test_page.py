"""The page of the service, used in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving.browsing import (
    NewPage,
    Serve,
    give,
    likes,
    names,
    open_page,
    ranking,
    wait_for_hits,
)

from contrawarp_edge import Embedder, Gallery

pytestmark = pytest.mark.slow


@pytest.fixture
def vectors(model: Path, faces: list[Path]) -> np.ndarray:
    return Embedder(model).embed(faces)


def test_query_by_upload(
    page: Any, gallery_path: Path, faces: list[Path], vectors: np.ndarray
) -> None:
    give(page, faces[6])
    assert names(page) == ranking(gallery_path, vectors[6])[:24]
    scores = [float(t) for t in page.locator(".card .number").all_text_contents()]
    assert scores[0] == 1
    assert scores == sorted(scores, reverse=True)
    page.click("#more")
    page.locator(".card").nth(29).wait_for()
    assert names(page) == ranking(gallery_path, vectors[6])
    image = page.locator(".card img").first
    assert image.evaluate("image => image.naturalWidth") == 16


def test_filters(
    page: Any, gallery_path: Path, faces: list[Path], vectors: np.ndarray
) -> None:
    assert page.get_by_label("Sort by").is_hidden()  # the model has no classes
    give(page, faces[6])
    page.get_by_label("person").select_option(label="p1 (10)")
    page.locator("#status", has_text="10 of 30").wait_for()
    expected = ranking(gallery_path, vectors[6], where={"person": "p1"})
    assert names(page) == expected
    page.get_by_label("Minimum score").fill("1")
    page.get_by_text("No face fits these filters").wait_for()
    assert names(page) == []
    page.locator("#nothing").get_by_text("Clear filters").click()
    page.locator("#status", has_text="24 of 30").wait_for()
    assert names(page) == ranking(gallery_path, vectors[6])[:24]


def test_click_through_and_back(
    page: Any, gallery_path: Path, faces: list[Path], vectors: np.ndarray
) -> None:
    give(page, faces[6])
    first = names(page)
    page.locator(".pick").nth(3).click()
    page.locator(f"#like img[alt='{first[3]}']").wait_for()
    wait_for_hits(page)
    chosen = int(first[3][:4])
    others = [n for n in ranking(gallery_path, vectors[chosen]) if n != first[3]]
    assert names(page) == others[:24]
    page.go_back()
    page.locator(f"#like img[alt='{faces[6].name}']").wait_for()
    wait_for_hits(page)
    assert names(page) == first
    page.get_by_text("Start over").click()
    page.get_by_text("Or start from one of these faces").wait_for()
    assert page.locator("#query").is_hidden()


def test_like_and_not_like(
    page: Any, gallery_path: Path, faces: list[Path], vectors: np.ndarray
) -> None:
    give(page, faces[6])
    shown = names(page)
    page.locator(".card .like").nth(2).click()
    page.locator("#like li").nth(1).wait_for()
    wait_for_hits(page)
    assert likes(page) == [faces[6].name, shown[2]]
    second = names(page)
    page.locator(".card .unlike").nth(5).click()
    page.locator("#unlike li").wait_for()
    wait_for_hits(page)
    like, unlike = int(shown[2][:4]), int(second[5][:4])
    mean = vectors[6] + vectors[like]
    query = mean / np.linalg.norm(mean) - 0.5 * vectors[unlike]
    expected = ranking(gallery_path, query)
    for example in (shown[2], second[5]):
        expected.remove(example)
    assert names(page) == expected[:24]
    page.get_by_label(f"Remove {second[5]}").click()
    page.locator("#unlike-group").wait_for(state="hidden")
    page.locator(".name", has_text=second[5]).wait_for()
    assert names(page) == second


def test_keyboard(page: Any, faces: list[Path]) -> None:
    give(page, faces[6])
    shown = names(page)
    page.locator("#choose").focus()
    reached = []
    for _ in range(20):
        reached.append(page.evaluate("document.activeElement.id"))
        if page.evaluate("document.activeElement.matches('.pick')"):
            break
        page.keyboard.press("Tab")
    assert reached[:2] == ["choose", "photograph"]
    assert reached.index("over") < reached.index("min-score")

    def focused() -> int:
        return page.evaluate(
            "[...document.querySelectorAll('.pick')].indexOf(document.activeElement)"
        )

    assert focused() == 0
    for key, expected in [
        ("ArrowLeft", 0),
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", 23),
        ("Home", 0),
    ]:
        page.keyboard.press(key)
        assert focused() == expected
    page.keyboard.press("ArrowDown")
    columns = focused()
    tops = [box["y"] for box in (c.bounding_box() for c in page.locator(".card").all())]
    assert columns == tops.count(tops[0]) > 1
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("i")
    page.get_by_role("dialog", name=shown[1]).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert focused() == 1
    page.keyboard.press("-")
    page.locator(f"#unlike img[alt='{shown[1]}']").wait_for()
    wait_for_hits(page)
    assert focused() == 0  # the keyboard stays among the hits
    now = names(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator("#unlike-group").wait_for(state="hidden")
    wait_for_hits(page)
    assert likes(page) == [now[1]]
    assert focused() == 0


def test_empty_gallery(new_page: NewPage, serve: Serve, gallery_path: Path) -> None:
    with Gallery.open(gallery_path) as gallery:
        gallery.delete(range(1, 31))
    page = new_page()
    page.goto(serve().address)
    page.get_by_text("This gallery holds no faces yet").wait_for()
    assert page.locator(".card").count() == 0


def test_original_that_is_gone(
    new_page: NewPage, serve: Serve, faces: list[Path]
) -> None:
    faces[6].unlink()
    page = open_page(new_page(), serve().address)
    give(page, faces[7])
    page.locator(".card", has_text="0006.png").get_by_text("no picture").wait_for()
    assert page.get_by_text("no picture").filter(visible=True).count() == 1


def test_token(new_page: NewPage, serve: Serve) -> None:
    address = serve(token="a-token-that-is-long").address
    page = open_page(new_page(), f"{address}#token=a-token-that-is-long")
    assert "token" not in page.url
    page.reload()  # it is kept for this tab
    page.get_by_text("Or start from one of these faces").wait_for()

    other = new_page()
    other.goto(address)
    for text in ("wrong", "a-token-that-is-long"):
        other.get_by_role("dialog").get_by_label("Token").fill(text)
        other.get_by_role("button", name="Continue").click()
        if text == "wrong":
            other.get_by_text("That was not the right one").wait_for()
    other.get_by_text("Or start from one of these faces").wait_for()
    other.locator(".card img[src^='blob:']").first.wait_for()


def test_add_and_delete(
    new_page: NewPage, serve: Serve, tmp_path: Path, gallery_path: Path
) -> None:
    page = open_page(new_page(), serve(writable=True).address)
    Image.new("RGB", (16, 16), "orchid").save(tmp_path / "new.png")
    give(page, tmp_path / "new.png")
    page.get_by_role("button", name="Add to gallery").click()
    page.get_by_role("dialog").get_by_label("person").fill("somebody")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("Added as image 31.").wait_for()
    page.get_by_text("faces.gallery: 31 faces").wait_for()
    with Gallery.open(gallery_path, readonly=True) as gallery:
        record = gallery.get(31)
    assert record is not None
    assert record.metadata == {"person": "somebody"}
    give(page, tmp_path / "new.png")
    page.locator(".card .info").first.click()
    page.get_by_role("dialog").get_by_text("somebody").wait_for()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Really delete?").click()
    page.get_by_text("faces.gallery: 30 faces").wait_for()
    assert not Path(record.path).exists()


def test_metadata_is_shown_as_text(
    new_page: NewPage, serve: Serve, gallery_path: Path, faces: list[Path]
) -> None:
    evil = "<img src=x onerror=alert(1)>"
    with Gallery.open(gallery_path) as gallery:
        record = gallery.get(1)
        assert record is not None
        object.__setattr__(record, "metadata", {"person": evil, evil: "a"})
        gallery.add([record])
    page = open_page(new_page(), serve().address)
    give(page, faces[0])
    assert evil in page.locator(".card .meta").first.text_content()
    page.locator(".card .info").first.click()
    page.get_by_role("dialog").get_by_text(evil).first.wait_for()
    assert page.locator("img[src='x']").count() == 0


def test_everything_has_a_name(page: Any, faces: list[Path]) -> None:
    give(page, faces[0])
    page.locator(".card .unlike").nth(3).click()
    page.locator("#unlike li").wait_for()
    page.locator("#filter-box").evaluate("box => { box.open = true; }")
    nameless = page.evaluate("""
        [...document.querySelectorAll("button, input, select, img, ul, section")]
          .filter((e) => e.checkVisibility() && !e.matches(".pick img, .top img"))
          .filter((e) => !(e.ariaLabel || e.alt || e.textContent.trim()
            || e.labels?.[0]?.textContent.trim()))
          .map((e) => e.outerHTML)
    """)
    assert nameless == []
    assert page.locator("html").get_attribute("lang") == "en"


def test_fits_any_screen(page: Any, faces: list[Path]) -> None:
    give(page, faces[0])
    for width in (320, 390, 768, 1400):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        smallest = page.evaluate("""
            Math.min(...[...document.querySelectorAll("button")]
              .filter((button) => button.checkVisibility())
              .map((button) => button.getBoundingClientRect())
              .map(({ width, height }) => Math.min(width, height)))
        """)
        assert smallest >= 24


def test_dark(new_page: NewPage, serve: Serve) -> None:
    address = serve().address

    def lightness(scheme: str) -> int:
        page = open_page(new_page(color_scheme=scheme), address)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    assert lightness("dark") < 120
    assert lightness("light") > 600
