"""Pictures that a visitor brings: dropped, pasted, cut out or photographed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from serving.browsing import (
    NewPage,
    Serve,
    give,
    likes,
    names,
    open_page,
    wait_for_hits,
)

pytestmark = pytest.mark.slow


def test_drop_and_paste(page: Any, faces: list[Path]) -> None:
    transfer = """
    ([kind, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], `${kind}.png`));
      const options = { bubbles: true, cancelable: true };
      const event = kind === 'drop'
        ? new DragEvent('drop', { ...options, dataTransfer: data })
        : new ClipboardEvent('paste', { ...options, clipboardData: data });
      document.getElementById('drop').dispatchEvent(event);
    }
    """
    for number, kind in enumerate(["drop", "paste"]):
        page.evaluate(transfer, [kind, list(faces[number].read_bytes())])
        page.locator(f"#like img[alt='{kind}.png']").wait_for()
        wait_for_hits(page)
        assert names(page)[0] == faces[number].name


def test_crop_of_a_large_picture(page: Any, tmp_path: Path, faces: list[Path]) -> None:
    whole = Image.new("RGB", (3000, 2000), "black")
    with Image.open(faces[6]) as face:
        whole.paste(face.resize((500, 500), Image.Resampling.NEAREST), (1250, 750))
    whole.save(tmp_path / "large.png")
    page.set_input_files("#file", tmp_path / "large.png")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Fit the face").wait_for()
    assert page.evaluate("document.activeElement.id") == "stage"
    page.locator("#zoom").fill("0.7")  # 12 ** 0.7 = 5.7, so 351 of the 500 pixels
    page.locator("#stage").focus()
    page.keyboard.press("Enter")
    wait_for_hits(page)
    assert names(page)[0] == faces[6].name
    assert page.locator("#note").is_hidden()

    page.get_by_role("button", name="Crop").click()
    dialog.get_by_text("Whole picture").click()
    page.get_by_text(re.compile("from 3000 . 2000 to 1024 . 683 pixels")).wait_for()
    page.get_by_role("button", name="Crop").click()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert likes(page) == ["large.png"]


def test_photograph(page: Any) -> None:
    page.get_by_role("button", name="Photograph").click()
    page.get_by_role("button", name="Take the photograph").wait_for()
    page.locator("#video").evaluate(
        "video => new Promise((resolve) => { const wait = () => video.videoWidth"
        " ? resolve() : setTimeout(wait, 50); wait(); })"
    )
    page.get_by_role("button", name="Take the photograph").click()
    page.locator("#cropper").get_by_role("button", name="Search").click()
    wait_for_hits(page)
    assert likes(page) == ["photograph.png"]


def test_problems_are_said(
    new_page: NewPage, serve: Serve, tmp_path: Path, faces: list[Path]
) -> None:
    served = serve(pixels=100_000)
    page = open_page(new_page(), served.address)
    alert = page.get_by_role("alert")
    (tmp_path / "text.png").write_text("hello")
    page.set_input_files("#file", tmp_path / "text.png")
    alert.get_by_text("text.png is no picture that this browser can open").wait_for()
    Image.new("RGB", (400, 400)).save(tmp_path / "large.png")
    page.set_input_files("#file", tmp_path / "large.png")
    alert.get_by_text("more than the 0.1 million pixels allowed").wait_for()
    give(page, faces[0])
    assert alert.is_hidden()

    served.stop()
    page.locator(".pick").nth(1).click()
    alert.get_by_text("The connection is lost").wait_for()
    again = alert.get_by_role("button", name="Try again")
    again.click()
    alert.get_by_text("The connection is lost").wait_for()
    serve(port=served.port)
    again.click()
    wait_for_hits(page)
    assert alert.is_hidden()
