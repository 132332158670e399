"""What a visitor does on the page of the service, and sees there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from contrawarp_edge import Gallery

NewPage = Callable[..., Any]


Serve = Callable[..., Any]


FOUND = re.compile("best score")


def open_page(page: Any, address: str) -> Any:
    page.goto(address)
    page.get_by_text("Or start from one of these faces").wait_for()
    return page


def wait_for_hits(page: Any) -> None:
    page.locator("#status", has_text=FOUND).wait_for()
    page.locator("body:not(.busy)").wait_for()


def give(page: Any, path: Path) -> None:
    page.set_input_files("#file", path)
    wait_for_hits(page)


def names(page: Any) -> list[str]:
    return page.locator(".card .name").all_text_contents()


def wait_for_names(page: Any, expected: list[str]) -> None:
    from playwright.sync_api import expect

    expect(page.locator(".card .name")).to_have_text(expected, timeout=15_000)


def likes(page: Any, side: str = "like") -> list[str]:
    return [image.get_attribute("alt") for image in page.locator(f"#{side} img").all()]


def ranking(gallery_path: Path, query: np.ndarray, **options: Any) -> list[str]:
    with Gallery.open(gallery_path, readonly=True) as gallery:
        (hits,) = gallery.search(query, k=30, **options)
    return [Path(hit.path).name for hit in hits]
