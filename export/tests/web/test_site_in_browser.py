"""The static site in a real browser: it computes what the package computes."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from contrawarp_edge import Embedder, Gallery
from contrawarp_edge.web.site import SiteSettings, build_site

pytestmark = pytest.mark.slow

EMBED = """
async (files) => {
  const { openBackend } = await import('./backend.js');
  const { drawPicture, openPicture } = await import('./picture.js');
  const backend = await openBackend(() => {});
  const rows = [];
  for (const data of files) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const { canvas } = drawPicture(await openPicture(new File([bytes], 'a')), null);
    rows.push([...(await backend.embed({ canvas })).embedding]);
  }
  return rows;
}
"""


@pytest.fixture
def site(
    tmp_path: Path, model: Path, gallery_path: Path, runtime: dict[str, bytes]
) -> Path:
    build_site(model, gallery_path, tmp_path / "site", runtime, SiteSettings())
    return tmp_path / "site"


@pytest.fixture
def page(
    new_page: Callable[..., Any], site: Path, deliver: Callable[[Path], str]
) -> Any:
    page = new_page(viewport={"width": 1200, "height": 900})
    page.goto(deliver(site))
    return page


def encoded(format: str, size: tuple[int, int], **options: Any) -> bytes:
    rng = np.random.default_rng(size[0])
    small = rng.integers(0, 256, (9, 9, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize(size).save(buffer, format, **options)
    return buffer.getvalue()


def test_embeddings_are_the_native_ones(page: Any, model: Path, tmp_path: Path) -> None:
    page.get_by_text("Or start from").wait_for()
    exif = Image.Exif()
    exif[0x0112] = 6
    files = [
        encoded("PNG", (48, 48)),
        encoded("PNG", (640, 480)),
        encoded("PNG", (301, 77), exif=exif),
        encoded("JPEG", (200, 200), quality=95),
        encoded("WEBP", (90, 120), lossless=True),
        encoded("BMP", (33, 17)),
    ]
    paths = [tmp_path / f"query{number}" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    native = Embedder(model).embed(paths)
    data = [base64.b64encode(file).decode() for file in files]
    found = np.array(page.evaluate(EMBED, data))
    assert np.abs(found - native).max() < 1e-3
    assert (found * native).sum(axis=1).min() > 0.9999


def test_search_stays_in_the_browser(
    page: Any, gallery_path: Path, faces: list[Path], model: Path
) -> None:
    page.get_by_text("Or start from").wait_for()
    page.get_by_text("stays on this device").wait_for()
    requests: list[tuple[str, str]] = []
    page.on("request", lambda request: requests.append((request.method, request.url)))
    page.set_input_files("#file", faces[6])
    page.locator("#status", has_text="best score 1.000").wait_for()
    query = Embedder(model).embed(faces[6])
    with Gallery.open(gallery_path, readonly=True) as gallery:
        (hits,) = gallery.search(query, k=24)
    found = page.locator(".card .name").all_text_contents()
    assert found[:5] == [Path(hit.path).name for hit in hits[:5]]
    scores = [float(t) for t in page.locator(".card .number").all_text_contents()]
    np.testing.assert_allclose(scores, [hit.score for hit in hits], atol=1.5e-3)
    for method, url in requests:
        assert method == "GET"
        assert "/thumbnails/" in url or url.startswith("blob:")

    page.get_by_label("person").select_option(label="p1 (10)")
    page.locator("#status", has_text="10 of 30").wait_for()
    page.locator(".pick").nth(2).click()
    page.locator("#status", has_text="9 of 30").wait_for()
    page.locator(".card .unlike").nth(1).click()
    page.locator("#status", has_text="8 of 30").wait_for()


def test_works_without_a_network(page: Any, faces: list[Path]) -> None:
    page.get_by_text("Or start from").wait_for()
    page.context.set_offline(True)
    page.set_input_files("#file", faces[3])
    page.locator("#status", has_text="best score 1.000").wait_for()
    assert page.locator(".card .name").first.text_content() == faces[3].name


def file_of(site: Path, part: str) -> Path:
    if part == "gallery":
        return site / "gallery.json"
    return next(site.glob(f"{part}-*.bin"))


def put(path: Path, content: bytes) -> None:
    """Writes a file so that the server sees a change, however soon it comes."""
    newer = path.stat().st_mtime + 10 if path.exists() else None
    path.write_bytes(content)
    if newer:
        os.utime(path, (newer, newer))


def test_model_of_another_gallery(
    site: Path, page: Any, make_model: Callable[..., Path]
) -> None:
    other = make_model("other.onnx", seed=1).read_bytes()
    assert len(other) == file_of(site, "model").stat().st_size
    put(file_of(site, "model"), other)
    page.reload()
    alert = page.get_by_role("alert")
    alert.get_by_text("not the one that this gallery was made with").wait_for()


def test_model_that_was_changed(site: Path, page: Any) -> None:
    content = bytearray(file_of(site, "model").read_bytes())
    content[content.index(b"weights") + 40] ^= 1
    put(file_of(site, "model"), content)
    page.reload()
    page.get_by_role("alert").get_by_text("was made with").wait_for()


@pytest.mark.parametrize("part", ["vectors", "model", "gallery"])
def test_files_that_are_missing_or_cut(site: Path, page: Any, part: str) -> None:
    path = file_of(site, part)
    away = site / "away"
    alert = page.get_by_role("alert")
    page.get_by_text("Or start from").wait_for()
    path.rename(away)
    page.reload()
    alert.get_by_text(f"{path.name} is missing").wait_for()
    away.rename(path)
    if part != "gallery":
        whole = path.read_bytes()
        put(path, whole[:-9])
        page.get_by_role("button", name="Try again").click()
        alert.get_by_text("not the file it should be").wait_for()
        put(path, whole)
    page.get_by_role("button", name="Try again").click()
    page.get_by_text("Or start from").wait_for()
