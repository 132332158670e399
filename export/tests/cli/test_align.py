"""``align``, and ``--align`` of the commands that embed."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pretended_faces import faces_by_colour
from starlette.testclient import TestClient

from contrawarp_edge import Embedder, Gallery
from contrawarp_edge.align import rules
from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.align.rules import Rules, align_one, aligner_for
from contrawarp_edge.cli import main
from contrawarp_edge.server.app import create_app
from contrawarp_edge.server.settings import Access, Limits


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(part) for part in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def photo(path: Path, faces: int, green: int = 0) -> Path:
    """Noise, on which the pretended detector sees some faces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(green).integers(0, 256, (100, 400, 3), np.uint8)
    pixels[0, 0] = 50 * faces, green, 0
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(autouse=True)
def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "find_faces", faces_by_colour)


@pytest.fixture
def full_model(make_model: Callable[..., Path], info: object) -> Path:
    """A model that says where eyes, nose and mouth have to be."""
    props = info.to_metadata()  # type: ignore[attr-defined]
    props["contrawarp.crop"] = json.dumps(FACE_CROP.to_dict())
    return make_model("full.onnx", metadata=props)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(3):
        photo(tmp_path / "photos" / f"{number}.png", 1, green=number)
    photo(tmp_path / "photos" / "none.png", 0)
    return tmp_path / "photos"


def aligned_embedding(model: Path, path: Path) -> np.ndarray:
    crop = align_one(np.asarray(Image.open(path)), Rules(size=112))
    return Embedder(model).embed(crop)[0]


def test_align(photos: Path, tmp_path: Path) -> None:
    result = run("align", photos, tmp_path / "faces", "--size", 32)
    assert result.exit_code == 3
    assert "3 faces, 0 images unchanged, 1 skipped" in result.stdout
    assert f"skipped {photos / 'none.png'}: no face found" in result.stderr
    result = run("align", photos, tmp_path / "faces", "--size", 32)
    assert result.exit_code == 3
    assert "0 faces, 4 images unchanged, 1 skipped" in result.stdout
    (photos / "none.png").unlink()
    listed = tmp_path / "list"
    listed.write_text("".join(f"{path}\n" for path in photos.iterdir()))
    result = run("align", "--list", listed, tmp_path / "other")
    assert result.exit_code == 0
    assert Image.open(tmp_path / "other" / "0.jpg").size == (160, 160)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing", "b"], "missing: no such file"),
        (["b"], "name images, folders or a list"),
        ([".", "b"], "no image files found"),
    ],
)
def test_align_refuses(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("align", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "b").exists()


def test_align_without_a_detector(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    result = run("align", photos, tmp_path / "b")
    assert result.exit_code == 2
    assert "pip install 'contrawarp-edge[align]'" in result.stderr
    assert not (tmp_path / "b").exists()


def test_videos_are_cut_into_tracks(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    clip = tmp_path / "clips" / "clip.mp4"
    clip.parent.mkdir()
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 400, 96, "yuv420p"
        for faces in [1, 2, 2, 0, 2]:
            pixels = np.zeros((96, 400, 3), np.uint8)
            pixels[..., 0] = 50 * faces + 20
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    for photos in (0, 5):  # photos done before
        result = run(
            *("align", clip.parent, tmp_path / "b", "--every", 0.25, "--all"),
        )
        assert result.exit_code == 3
        assert f"{photos} images unchanged, 1 skipped" in result.stdout
        with (tmp_path / "b" / "faces.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        found = [(row["time"], row["track"]) for row in rows]
        assert found == [
            *[("0.000", "1"), ("0.250", "1"), ("0.250", "2"), ("0.500", "1")],
            *[("0.500", "2"), ("1.000", "3"), ("1.000", "4")],
        ]
        assert rows[0]["path"] == "clip_t00000.000_track1.jpg"
        assert {row["source"] for row in rows} == {str(clip)}
    assert f"{clip}#t=0.750\tno face" in (tmp_path / "b" / "skipped.tsv").read_text()


def test_embed_and_search(full_model: Path, photos: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "a.gallery"
    result = run("embed", full_model, photos, "--gallery", gallery, "--align")
    assert result.exit_code == 3
    assert f"skipped {photos / 'none.png'}: no face found" in result.stderr
    with Gallery.open(gallery, readonly=True) as opened:
        assert opened.aligned
        row = opened.get(str(photos / "1.png"))
    assert row is not None
    expected = aligned_embedding(full_model, photos / "1.png")
    np.testing.assert_allclose(row.embedding, expected, atol=1e-6)
    assert "aligned:          yes" in run("info", gallery).stdout
    # As the gallery's images were, without being told.
    photo(photos / "new.png", 1, green=7)
    run("embed", full_model, photos, "--gallery", gallery)
    result = run("search", gallery, photos / "new.png", "--json", "-k", 1)
    assert result.stderr == ""
    (hit,) = json.loads(result.stdout)
    assert hit["path"].endswith("new.png")
    assert hit["score"] == pytest.approx(1, abs=1e-6)
    result = run("search", gallery, photos / "new.png", "--no-align")
    assert "the gallery's images were aligned, unlike the query" in result.stderr
    result = run("search", gallery, photos / "none.png")
    assert result.exit_code == 2
    assert "none.png: no face found; --no-align takes it as it is" in result.stderr


@pytest.mark.parametrize(
    ("first", "second"), [("--align", "--no-align"), ("--no-align", "--align")]
)
def test_one_gallery_is_one_thing(
    full_model: Path, photos: Path, tmp_path: Path, first: str, second: str
) -> None:
    gallery = tmp_path / "a.gallery"
    run("embed", full_model, photos, "--gallery", gallery, first)
    result = run("embed", full_model, photos, "--gallery", gallery, second)
    assert result.exit_code == 2
    assert f"use {first}, or embed into a new gallery" in result.stderr


def test_a_model_without_points(model: Path, photos: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "a.gallery"
    result = run("embed", model, photos, "--gallery", gallery, "--align")
    assert result.exit_code == 2
    assert "does not say where eyes" in result.stderr
    assert not gallery.exists()
    assert run("embed", model, photos, "--gallery", gallery).exit_code == 0


def test_warning_before_embedding(
    full_model: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def warn(paths: object, count: int, *_: object) -> str:
        asked.append(count)
        return "0.5 off; align"

    monkeypatch.setattr("contrawarp_edge.cli.filling.embed.framing_warning", warn)
    result = run("embed", full_model, photos, "--gallery", tmp_path / "a")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == ["Warning: 0.5 off; align"]
    for _ in range(2):
        result = run(
            "embed", full_model, photos, "--gallery", tmp_path / "b", "--align"
        )
        assert "Warning" not in result.stderr
    assert asked == [4]


def test_service(full_model: Path, photos: Path, tmp_path: Path) -> None:
    run("embed", full_model, photos, "--gallery", tmp_path / "a.gallery", "--align")
    embedder = Embedder(full_model)
    app = create_app(
        tmp_path / "a.gallery",
        embedder,
        Access(writable=True),
        Limits(),
        aligner_for(embedder.info),
    )
    with TestClient(app, base_url="http://localhost") as client:  # type: ignore[arg-type]

        def post(path: str, name: str) -> tuple[int, dict[str, object]]:
            content = io.BytesIO((photos / name).read_bytes())
            files = {"image": (name, content, "image/png")}
            answer = client.post(path, files=files)
            return answer.status_code, answer.json()

        status, body = post("/api/embed", "1.png")
        assert status == 200
        expected = aligned_embedding(full_model, photos / "1.png")
        np.testing.assert_allclose(body["embeddings"][0], expected, atol=1e-6)  # type: ignore[index]
        for path in ("/api/embed", "/api/search/image", "/api/images"):
            assert post(path, "none.png") == (422, {"error": "no face found"})
