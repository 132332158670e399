"""What users have by accident: each is skipped and named, and nothing else suffers."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from obstacles import forbid_listing, silent_pipe

from contrawarp_edge import Gallery
from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.cli import main

MakeImages = Callable[..., list[Path]]


def run(*arguments: object, stdin: bytes = b"", charset: str = "utf-8") -> Result:
    runner = CliRunner(charset=charset)
    result = runner.invoke(main, [str(part) for part in arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def model(make_model: Callable[..., Path], info: object) -> Path:
    """Says where eyes have to be, so that a sample of images is looked at first."""
    props = info.to_metadata()  # type: ignore[attr-defined]
    props["contrawarp.crop"] = json.dumps(FACE_CROP.to_dict())
    return make_model(metadata=props)


@pytest.fixture
def faces(make_images: MakeImages, tmp_path: Path) -> Path:
    make_images(4)
    return tmp_path / "faces"


@pytest.fixture
def gallery(model: Path, faces: Path, tmp_path: Path) -> Path:
    target = tmp_path / "a.gallery"
    assert run("embed", model, faces, "--gallery", target).exit_code == 0
    return target


def count(gallery: Path) -> int:
    with Gallery.open(gallery, readonly=True) as opened:
        return len(opened)


def test_a_folder_that_cannot_be_listed(
    model: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (faces / "closed").mkdir()
    forbid_listing(faces / "closed", monkeypatch)
    target, report = tmp_path / "b.gallery", tmp_path / "report.json"
    result = run("embed", model, faces, "--gallery", target, "--report", report)
    assert result.exit_code == 3
    assert result.stderr == f"skipped {faces / 'closed'}: Permission denied\n"
    assert "4 embedded, 0 unchanged, 1 skipped" in result.stdout
    (skipped,) = json.loads(report.read_text())["skipped"]
    assert skipped == {"path": str(faces / "closed"), "reason": "Permission denied"}
    pytest.importorskip("cv2")
    result = run("align", faces, tmp_path / "crops")
    assert result.exit_code == 3
    assert f"skipped {faces / 'closed'}: Permission denied" in result.stderr


@pytest.mark.parametrize(
    ("end", "encoding"), [("\0", "utf-8"), ("\n", "utf-16")], ids=["print0", "utf-16"]
)
def test_a_list_of_another_kind(
    model: Path, faces: Path, tmp_path: Path, end: str, encoding: str
) -> None:
    text = "".join(f"{path}{end}" for path in sorted(faces.iterdir()))
    target = tmp_path / "b.gallery"
    arguments = ["embed", model, "--gallery", target, "--list", "-"]
    result = run(*arguments, stdin=text.encode(encoding))
    assert result.exit_code == 2
    first, *_, last = result.stderr.splitlines()
    assert first.startswith("skipped ")
    assert "--null" in first
    assert "could be used" in last
    assert not target.exists()


def test_bad_names_in_a_list(model: Path, faces: Path, tmp_path: Path) -> None:
    good = [str(path) for path in sorted(faces.iterdir())]
    bad = [
        "a\0b.png",
        f"{faces}/{'x' * 300}.png",
        "missing.png",
        f"{good[0]}/below.png",
    ]
    lines = [*good[:2], *bad, *good[2:]]
    result = run(
        *("embed", model, "--gallery", tmp_path / "b.gallery", "--list", "-"),
        stdin="\n".join(lines).encode(),
    )
    assert result.exit_code == 3
    assert f"4 embedded, 0 unchanged, {len(bad)} skipped" in result.stdout
    reasons = [line.rsplit(": ", 1)[1] for line in result.stderr.splitlines()]
    assert reasons[0].startswith("its name has a zero byte")
    assert reasons[1:] == [
        os.strerror(code) for code in (errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR)
    ]


def test_a_pipe_among_images_is_skipped(
    model: Path, faces: Path, tmp_path: Path
) -> None:
    target = tmp_path / "b.gallery"
    with silent_pipe(faces / "0001-pipe.png") as pipe:
        result = run("embed", model, faces, "--gallery", target)
        assert result.exit_code == 3
        assert result.stderr == f"skipped {pipe}: not a regular file\n"
    assert count(target) == 4


@pytest.mark.parametrize(
    "command",
    [
        "embed {pipe} {faces} --gallery {new}",
        "embed {model} {pipe} --gallery {new}",
        "embed {model} {faces} --gallery {pipe}",
        "embed {model} {faces} --gallery {new} --metadata {pipe}",
        "embed {model} {video} --gallery {new} --every 1",
        "search {gallery} {pipe}",
        "search {gallery} {image} --not {pipe}",
        "search {gallery} {image} --model {pipe}",
        "search {pipe} {image}",
        "info {pipe}",
        "dedupe {pipe}",
        "serve {pipe}",
        "watch {pipe} {faces} --gallery {new}",
        "watch {model} {pipe} --gallery {new}",
        "web {model} {pipe} --out {new} --runtime {faces}",
    ],
)
def test_a_pipe_is_never_waited_for(
    command: str, model: Path, faces: Path, gallery: Path, tmp_path: Path
) -> None:
    names = {
        "model": model,
        "faces": faces,
        "gallery": gallery,
        "new": tmp_path / "new",
        "image": faces / "0000.png",
    }
    with (
        silent_pipe(tmp_path / "pipe") as pipe,
        silent_pipe(tmp_path / "clip.mp4") as video,
    ):
        parts = command.format(**names, pipe=pipe, video=video).split()
        result = run(*parts)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert not (tmp_path / "new").exists()


def test_what_is_not_looked_at(
    model: Path,
    faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fresh_formats: None,
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # type: ignore[arg-type]
    for name in ("a.HEIC", "b.heic", "c.CR2", "clip.mov", "README"):
        (faces / name).touch()
    target, report = tmp_path / "b.gallery", tmp_path / "report.json"
    result = run("embed", model, faces, "--gallery", target, "--report", report)
    assert result.exit_code == 0
    kinds = {".heic": 2, "video": 1, ".cr2": 1, "file without extension": 1}
    assert json.loads(report.read_text())["not_looked_at"] == kinds
    (line,) = result.stderr.splitlines()
    assert line == (
        "not looked at: 2 .heic (pip install 'contrawarp-edge[heif]'), 1 video "
        "(--every SECONDS takes their frames), 1 .cr2, 1 file without extension"
    )
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(faces / "c.CR2", other)
    for arguments in (
        ["embed", model, other, "--gallery", target],
        ["align", other, "c"],
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        expected = f"Error: {other}: no image files found; not looked at: 1 .cr2"
        assert result.stderr.splitlines() == [expected]


@pytest.mark.parametrize("charset", ["cp1252", "utf-8"])
def test_terminals_that_lack_letters(
    model: Path, faces: Path, tmp_path: Path, charset: str
) -> None:
    (faces / "0000.png").rename(faces / "笑顔.png")
    (faces / "0001.png").write_text("broken")
    target = tmp_path / "b.gallery"
    result = run("embed", model, faces, "--gallery", target, charset=charset)
    assert result.exit_code == 3
    shown = "笑顔.png" if charset == "utf-8" else r"\u7b11\u9854.png"
    for command in (
        ["search", target, "--id", 1, "--min-score", -1],
        ["dedupe", target, "--min-score", -1],
        ["cluster", target, "-k", 3],
    ):
        result = run(*command, charset=charset)
        assert result.exit_code == 0
        assert shown in result.stdout_bytes.decode(charset)
        result = run(*command, "--csv", charset=charset)
        assert result.exit_code == 0
        assert "笑顔.png" in result.stdout_bytes.decode("utf-8")
    (faces / "笑顔.png").unlink()
    result = run("prune", target, "--dry-run", charset=charset)
    assert result.exit_code == 0
    assert shown in result.stdout_bytes.decode(charset)
