from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from contrawarp_edge import Embedder, Gallery, InputError
from contrawarp_edge.cli import main
from contrawarp_edge.web.runtime import FILES, read_runtime

PAGE = {"index.html", "app.js", "backend.js", "onnx_file.js", "style.css"}


@pytest.fixture
def runtime_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in (*FILES, "ort.js"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def build(
    gallery_path: Path, model: Path, tmp_path: Path, runtime_folder: Path
) -> Callable[..., Result]:
    def run(*options: object, model: Path = model) -> Result:
        command = ["web", model, gallery_path, "--out", tmp_path / "site"]
        command += ["--runtime", runtime_folder, *options]
        return CliRunner().invoke(main, [str(part) for part in command])

    return run


def one_line_error(result: Result, *parts: str) -> None:
    assert result.exit_code == 2, result.output
    *_, line = result.stderr.splitlines()
    assert line.startswith("Error: ")
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float16", "<f2"), ("float32", "<f4")]
)
def test_site(
    build: Callable[..., Result],
    tmp_path: Path,
    model: Path,
    faces: list[Path],
    precision: str,
    dtype: str,
) -> None:
    result = build("--precision", precision, "--thumbnail", "16")
    assert result.exit_code == 0, result.output
    site = tmp_path / "site"
    assert {path.name for path in site.iterdir()} > PAGE
    assert {path.name for path in (site / "runtime").iterdir()} == set(FILES)
    description = json.loads((site / "gallery.json").read_text())
    files = {part: site / facts["name"] for part, facts in description["files"].items()}
    assert files["model"].read_bytes() == model.read_bytes()
    assert description["model"]["fingerprint"] == Embedder(model).info.fingerprint
    assert description["files"]["model"]["bytes"] == model.stat().st_size
    vectors = np.fromfile(files["vectors"], dtype).reshape(30, 8)
    tolerance = 1e-3 if precision == "float16" else 1e-6
    np.testing.assert_allclose(vectors, Embedder(model).embed(faces), atol=tolerance)
    for row, image in enumerate(description["images"]):
        assert (image["id"], image["name"]) == (row + 1, faces[row].name)
        assert image["metadata"] == {"person": f"p{row % 3}"}
        assert Image.open(site / image["thumbnail"]).size == (16, 16)
    assert description["fields"][0]["name"] == "person"
    for path in site.rglob("*"):
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes()  # no path gets out
    written = sum(p.stat().st_size for p in site.rglob("*") if p.is_file()) / 1e6
    stated = [float(line.split()[1]) for line in result.stdout.splitlines()[1:-1]]
    assert sum(stated) == pytest.approx(written, abs=0.05)
    assert "30 images" in result.stdout


def test_originals_that_are_gone(
    build: Callable[..., Result], tmp_path: Path, faces: list[Path]
) -> None:
    faces[3].unlink()
    result = build()
    assert result.exit_code == 3
    assert f"no picture of {faces[3]}: No such file" in result.stderr
    images = json.loads((tmp_path / "site" / "gallery.json").read_text())["images"]
    assert [image["id"] for image in images if not image["thumbnail"]] == [4]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_an_original_that_became_a_pipe(
    build: Callable[..., Result], faces: list[Path]
) -> None:
    faces[3].unlink()
    os.mkfifo(faces[3])
    result = build()  # opening a pipe would wait for ever
    assert result.exit_code == 3
    assert f"no picture of {faces[3]}: not a regular file" in result.stderr


def test_frames_of_videos(
    build: Callable[..., Result], gallery_path: Path, tmp_path: Path, clip: Path
) -> None:
    with Gallery.open(gallery_path) as gallery:
        record = gallery.get(5)
        assert record is not None
        (id,) = gallery.add([replace(record, path=f"{clip}#t=0.500")])
    assert build("--thumbnail", "16").exit_code == 0
    with Image.open(tmp_path / "site" / "thumbnails" / f"{id}.jpg") as image:
        assert image.getpixel((8, 8))[2] > 200  # type: ignore[index]


def test_a_site_is_replaced_and_nothing_else(
    build: Callable[..., Result], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    assert build().exit_code == 0
    (site / "thumbnails" / "99.jpg").touch()
    assert build().exit_code == 0
    assert not (site / "thumbnails" / "99.jpg").exists()
    (site / "gallery.json").unlink()
    before = sorted(site.rglob("*"))
    one_line_error(build(), "site: holds something other than a site")
    assert sorted(site.rglob("*")) == before
    assert not [path.name for path in tmp_path.iterdir() if path.name[0] == "."]


def test_errors_leave_nothing_behind(
    build: Callable[..., Result],
    gallery_path: Path,
    make_model: Callable[..., Path],
    runtime_folder: Path,
    tmp_path: Path,
) -> None:
    other = make_model("other.onnx", seed=1)
    (tmp_path / "file").touch()
    names = sorted(path.name for path in tmp_path.iterdir())
    one_line_error(build(model=other), "made with model")
    one_line_error(build(model=tmp_path / "none"), "none: no such model")
    one_line_error(build("--out", tmp_path / "file"), "file: is a file")
    one_line_error(build("--out", tmp_path / "a" / "b"), "folder does not exist")
    (runtime_folder / "big").write_bytes(bytes(2_000_000))
    (runtime_folder / "big").rename(runtime_folder / FILES[2])
    too_large = build("--max-mb", "1")
    one_line_error(too_large, "larger than 1 MB", "runtime", "--max-mb")
    (runtime_folder / FILES[0]).unlink()
    one_line_error(build(), f"has no {FILES[0]}", "node_modules/onnxruntime-web/dist")
    with Gallery.open(gallery_path) as gallery:
        gallery.delete(range(1, 31))
    (runtime_folder / FILES[0]).touch()
    one_line_error(build(), "holds no images")
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_without_npm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"npm, which delivers .* --runtime"):
        read_runtime(None)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'npm error code E404' >&2; exit 1", "npm error code E404.*--runtime"),
        ("exit 0", "could not get onnxruntime-web"),
        ("echo x > onnxruntime-web-1.30.0.tgz", "another onnxruntime-web"),
    ],
)
def test_npm_that_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, message: str
) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(InputError, match=message):
        read_runtime(None)


def test_thumbnails_carry_no_metadata(
    build: Callable[..., Result], tmp_path: Path, faces: list[Path]
) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    Image.open(io.BytesIO(faces[0].read_bytes())).save(faces[0], exif=exif)
    assert build().exit_code == 0
    assert b"secret" not in (tmp_path / "site" / "thumbnails" / "1.jpg").read_bytes()
