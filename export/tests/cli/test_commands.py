from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from contrawarp_edge import Gallery, InputError
from contrawarp_edge.cli import main
from contrawarp_edge.cli.upkeep import info as cli_module
from contrawarp_edge.core.progress import describe

MakeModel = Callable[..., Path]
MakeImages = Callable[..., list[Path]]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def one_line_error(result: Result, *parts: str) -> None:
    assert result.exit_code == 2, result.output
    *_, line = result.stderr.splitlines()
    assert line.startswith("Error: ")
    for part in parts:
        assert part in line
    assert "Traceback" not in result.output


@pytest.fixture
def gallery(tmp_path: Path, model: Path, make_images: MakeImages) -> Path:
    path = tmp_path / "faces.gallery"
    make_images(40)
    result = run("embed", model, tmp_path / "faces", "--gallery", path)
    assert result.exit_code == 0, result.output
    return path


def test_embed_then_search(gallery: Path, tmp_path: Path) -> None:
    query = tmp_path / "faces" / "0007.png"
    result = run("search", gallery, query, "-k", 3)
    assert result.exit_code == 0
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["rank", "score", "id", "path"]
    assert len(lines) == 3
    assert lines[0].split() == ["1", "1.000", "8", str(query)]

    hits = json.loads(run("search", gallery, query, "--json").stdout)
    assert [hit["rank"] for hit in hits] == list(range(1, 11))
    assert (hits[0]["id"], hits[0]["path"], hits[0]["metadata"]) == (8, str(query), {})


def test_embed_is_idempotent(gallery: Path, model: Path, tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    Image.new("RGB", (9, 9), "orange").save(faces / "0003.png")
    Image.new("RGB", (9, 9), "purple").save(faces / "new.png")
    for counts in ("2 embedded, 39 unchanged", "0 embedded, 41 unchanged"):
        result = run("embed", model, faces, faces / "0003.png", "--gallery", gallery)
        assert result.exit_code == 0
        assert counts in result.stdout
    top = run("search", gallery, faces / "0003.png", "-k", 1).stdout.splitlines()[1]
    assert top.split() == ["1", "1.000", "4", str(faces / "0003.png")]


def test_bad_images_are_listed(
    model: Path, tmp_path: Path, make_images: MakeImages
) -> None:
    good, bad, *_ = make_images(3)
    bad.write_bytes(b"broken")
    report = tmp_path / "report.json"
    gallery = tmp_path / "a.gallery"
    command = ["embed", model, tmp_path / "faces", "--gallery", gallery]
    result = run(*command, "--report", report)
    assert result.exit_code == 3
    reason = "not an image that Pillow can read"
    assert result.stderr == f"skipped {bad}: {reason}\n"
    assert "2 embedded, 0 unchanged, 1 skipped" in result.stdout
    assert json.loads(report.read_text()) == {
        "gallery": str(gallery),
        "model": str(model),
        "embedded": 2,
        "unchanged": 0,
        "moved": 0,
        "copied": 0,
        "skipped": [{"path": str(bad), "reason": reason}],
        "not_looked_at": {},
    }
    assert run(*command).exit_code == 3
    with Gallery.open(gallery) as opened:
        assert opened.sha256_of(str(good))
        assert len(opened) == 2


def test_html(gallery: Path, tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    query = tmp_path / "<b>query.png"
    query.write_bytes((faces / "0000.png").read_bytes())
    (faces / "0000.png").unlink()
    page = tmp_path / "hits.html"
    result = run("search", gallery, query, "--html", page)
    assert result.exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == 10  # the query and nine originals
    assert text.count("original not readable") == 1
    assert "&lt;b&gt;query.png" in text
    assert "<b>" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert "<strong>1.000</strong>" in text


def test_one_format_at_a_time(gallery: Path, tmp_path: Path) -> None:
    for command in (["dedupe", gallery], ["cluster", gallery]):
        one_line_error(run(*command, "--json", "--csv"), "--json and --csv exclude")
    page = tmp_path / "groups.html"
    result = run("cluster", gallery, "-k", 2, "--csv", "--html", page)
    assert result.stdout.splitlines()[0] == "id,group,score,path"
    assert "2 groups of 40 images" in page.read_text()


def test_info(gallery: Path, model: Path) -> None:
    text = run("info", model).stdout
    assert "backbone:         moments" in text
    assert "crop:             tight-face-v1" in text
    facts = json.loads(run("info", gallery, "--json").stdout)
    assert facts["kind"] == "gallery"
    assert facts["images"] == 40
    assert facts["model_path"] == str(model)
    assert facts["crop"]["name"] == "tight-face-v1"
    assert json.loads(run("info", model, "--json").stdout)["dim"] == 8


def test_model_that_moved(gallery: Path, model: Path, tmp_path: Path) -> None:
    moved = model.rename(tmp_path / "moved.onnx")
    query = tmp_path / "faces" / "0000.png"
    one_line_error(run("search", gallery, query), str(model), "--model")
    assert run("search", gallery, query, "--model", moved).exit_code == 0
    run("embed", moved, tmp_path / "faces", "--gallery", gallery)
    assert run("search", gallery, query).exit_code == 0


def test_errors_leave_nothing_behind(
    gallery: Path, make_model: MakeModel, tmp_path: Path
) -> None:
    model = tmp_path / "model.onnx"
    other = make_model("other.onnx", seed=1)
    faces = tmp_path / "faces"
    query = faces / "0000.png"
    text = tmp_path / "text.txt"
    text.write_text("hello")
    empty = tmp_path / "empty"
    empty.mkdir()
    none = tmp_path / "none"
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    new = tmp_path / "new.gallery"
    for arguments, parts in [
        (["info", none], ["none: no such model or gallery"]),
        (["info", text], ["text.txt: not an ONNX model"]),
        (["search", none, query], ["none: no such gallery"]),
        (["search", text, query], ["text.txt: not a gallery"]),
        (["search", faces, query], ["faces: is a folder"]),
        (["search", gallery, none], ["none: No such file"]),
        (["search", gallery, faces], ["faces: Is a directory"]),
        (["search", gallery, text], ["text.txt: not an image"]),
        (["search", gallery, query, "--model", other], ["made with model", "faces.g"]),
        (["search", gallery, query, "--model", text], ["text.txt: not an ONNX"]),
        (
            ["search", gallery, query, "--html", none / "a.html"],
            ["none/a.html: cannot be written: No such"],
        ),
        (["embed", none, faces, "--gallery", new], ["none: no such model"]),
        (["embed", text, faces, "--gallery", new], ["text.txt: not an ONNX"]),
        (["embed", model, none, "--gallery", new], ["none: no such file or folder"]),
        (["embed", model, empty, "--gallery", new], ["empty: no image files found"]),
        (["embed", model, text, "--gallery", new], ["none of the 1 images"]),
        (["embed", other, faces, "--gallery", gallery], ["made with model"]),
        (["embed", model, faces, "--gallery", text], ["text.txt: not a gallery"]),
        (["embed", model, faces, "--gallery", none / "g"], ["folder does not exist"]),
    ]:
        one_line_error(run(*arguments), *parts)
        after = {
            path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()
        }
        assert after == before, arguments


def test_interrupt(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_module, "Embedder", interrupted)
    result = run("info", model)
    assert result.exit_code == 130
    assert result.stderr == "Interrupted\n"


def test_messages_stay_on_one_line(
    monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    def fails(path: Path) -> None:
        raise InputError("first\nsecond \x1b[31m")

    monkeypatch.setattr(cli_module, "Embedder", fails)
    assert run("info", model).stderr == "Error: first second ?[31m\n"


def test_progress_text() -> None:
    assert describe(0, 10, 0.0) == "0/10 images"
    assert describe(1200, 5000, 25.0) == "1,200/5,000 images, 48.0/s, 1:19 left"
    assert describe(1, 5000, 1.0) == "1/5,000 images, 1.0/s, 1:23:19 left"
