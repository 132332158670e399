"""Lists, patterns, videos and metadata in ``embed``; ``prune`` and ``watch``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from videos import save_video

from contrawarp_edge import Gallery
from contrawarp_edge.cli import main

MakeImages = Callable[..., list[Path]]


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments], input=stdin)


def paths_in(gallery: Path) -> list[str]:
    with Gallery.open(gallery, readonly=True) as opened:
        return [path for _, path, _ in opened.iter_paths()]


def metadata_of(gallery: Path, path: object) -> dict[str, object]:
    with Gallery.open(gallery, readonly=True) as opened:
        row = opened.get(str(path))
        assert row is not None
        return dict(row.metadata or {})


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.gallery"


def test_lists_and_patterns(
    model: Path, tmp_path: Path, target: Path, make_images: MakeImages
) -> None:
    paths = make_images(12)
    listed = tmp_path / "list"
    listed.write_text("".join(f"{path}\n" for path in [*paths[:3], "missing.png"]))
    result = run("embed", model, "--list", listed, "--gallery", target)
    assert result.exit_code == 3
    assert "skipped missing.png: No such file" in result.stderr
    assert paths_in(target) == [str(path) for path in paths[:3]]
    names = b"\0".join(os.fsencode(path) for path in paths[2:5])
    result = run(
        *("embed", model, "--list", "-", "--null", "--gallery", target), stdin=names
    )
    assert "2 embedded, 1 unchanged" in result.stdout
    result = run("embed", model, tmp_path / "faces" / "*[0-9].png", "--gallery", target)
    assert "7 embedded, 5 unchanged" in result.stdout
    for arguments, message in [
        (["--list", "-"], "-: no image files found"),
        ([tmp_path / "*.bmp"], "no image files found"),
        ([], "name images, folders or a list"),
        (["--list", tmp_path / "none"], "none: no such file"),
    ]:
        result = run("embed", model, *arguments, "--gallery", target, stdin=b"")
        assert (result.exit_code, message in result.stderr) == (2, True)


def test_metadata_reaches_unchanged_images(
    model: Path, tmp_path: Path, target: Path, make_images: MakeImages
) -> None:
    paths = make_images(4)
    command = ["embed", model, tmp_path / "faces", "--gallery", target]
    pattern = ["--identity-pattern", r"/000(\d)\.png"]
    result = run(*command, *pattern)
    assert "4 embedded" in result.stdout
    assert metadata_of(target, paths[2]) == {"identity": "2"}
    table = tmp_path / "table.jsonl"
    rows = [{"path": str(paths[2]), "age": 5}, {"path": "x", "age": 1}]
    table.write_text("\n".join(map(json.dumps, rows)))
    result = run(*command, "--metadata", table)
    assert "0 embedded, 4 unchanged" in result.stdout
    assert "metadata for 1 of 4 images" in result.stdout
    assert metadata_of(target, paths[2]) == {"identity": "2", "age": 5}
    Image.new("RGB", (5, 5), "orange").save(paths[2])
    run(*command)
    assert metadata_of(target, paths[2]) == {"identity": "2", "age": 5}
    table.write_text("path,identity\n" + f"{paths[2]},Anna\n")
    result = run(*command, "--metadata", table)
    assert result.exit_code == 2
    assert "line 1 is no JSON object" in result.stderr
    table = table.rename(tmp_path / "table.csv")
    run(*command, "--metadata", table, *pattern)  # the file comes before the pattern
    assert metadata_of(target, paths[2])["identity"] == "Anna"
    assert metadata_of(target, paths[3])["identity"] == "3"


def test_videos(model: Path, tmp_path: Path, target: Path, reference: Callable) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    clip = folder / "clip.mp4"
    save_video(clip, list(range(10, 250, 8)))  # three seconds
    Image.new("RGB", (4, 4), "red").save(folder / "a.png")
    (folder / "bad.mp4").write_bytes(b"no video")
    command = ["embed", model, folder, "--gallery", target, "--every", "0.5"]
    result = run(*command, "--identity-pattern", "(clip)")
    assert result.exit_code == 3, result.output
    assert "7 embedded, 0 unchanged, 1 skipped" in result.stdout
    assert f"skipped {folder / 'bad.mp4'}: Invalid data" in result.stderr
    frames = [f"{clip}#t={n / 2:.3f}" for n in range(6)]
    assert paths_in(target) == [str(folder / "a.png"), *frames]
    facts = {"video": str(clip), "time": 1.5, "identity": "clip"}
    assert metadata_of(target, frames[3]) == facts
    assert "0 embedded, 7 unchanged, 1 skipped" in run(*command).stdout

    from contrawarp_edge.inputs.video import frame_at

    with Gallery.open(target) as opened:  # as if it had been killed in between
        row = opened.get(frames[3])
        assert row is not None
        expected = reference(np.asarray(frame_at(clip, 1.5)))
        np.testing.assert_allclose(row.embedding, expected, atol=1e-5)
        opened.delete([row.id or 0])
    assert "1 embedded, 6 unchanged, 1 skipped" in run(*command).stdout

    page = tmp_path / "hits.html"
    result = run("search", target, frames[3], "-k", 2, "--html", page)
    assert result.exit_code == 0, result.output
    assert "1.000" in result.stdout.splitlines()[1]
    assert page.read_text().count("data:image/jpeg") == 3
    assert "time: 1.5" in page.read_text()

    save_video(clip, list(range(10, 90, 8)))  # now one second, and another sha-256
    assert "2 embedded, 1 unchanged" in run(*command).stdout
    assert paths_in(target) == [str(folder / "a.png"), *frames[:2]]
    clip.unlink()
    assert "1 kept, 2 gone" in run("prune", target).stdout


def test_videos_need_every(model: Path, tmp_path: Path, target: Path) -> None:
    clip = tmp_path / "clip.mp4"
    save_video(clip, [10, 20])
    result = run("embed", model, clip, "--gallery", target)
    assert result.exit_code == 2
    assert "a video; --every SECONDS takes its frames" in result.stderr


def test_prune(
    model: Path, tmp_path: Path, target: Path, make_images: MakeImages
) -> None:
    first, second = make_images(4), make_images(3, folder="more")
    folders = [tmp_path / "faces", tmp_path / "more"]
    run("embed", model, *folders, "--gallery", target)
    first[0].unlink()
    second[0].unlink()
    result = run("prune", target, "--dry-run")
    assert result.stdout == f"{first[0]}\n{second[0]}\n"
    assert result.stderr == f"{target}: 5 kept, 2 would go\n"
    assert "3 kept, 1 gone" in run("prune", target, folders[0], folders[0]).stdout
    assert len(paths_in(target)) == 6
    assert "2 kept, 1 gone" in run("prune", target, folders[1]).stdout

    away = folders[0].rename(tmp_path / "away")
    for arguments in (
        ["prune", target, folders[0]],
        ["prune", target, folders[0], "-"],
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "none of its 3 files is there" in result.stderr
    assert len(paths_in(target)) == 5
    result = run("prune", target)
    assert (result.exit_code, result.stdout) == (3, f"{target}: 5 kept, 0 gone\n")
    assert result.stderr == f"kept 3 of {folders[0]}: the folder is missing\n"
    assert "2 kept, 3 gone" in run("prune", target, "--force").stdout
    assert "0 kept, 0 gone" in run("prune", target, away).stdout
    for path in second[1:]:
        path.unlink()
    assert "--force" in run("prune", target).stderr
    assert "0 kept, 2 gone" in run("prune", target, "--force").stdout


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_watch(
    model: Path, tmp_path: Path, target: Path, make_images: MakeImages
) -> None:
    paths = make_images(5)
    folder = tmp_path / "faces"
    (folder / "a.JXL").touch()
    program = "from contrawarp_edge.cli import main; main()"
    command = ["watch", model, folder, "--gallery", target, "--interval", "0.1"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def known() -> set[str]:
        return (
            set(map(os.path.basename, paths_in(target))) if target.exists() else set()
        )

    try:
        wait_for(lambda: len(known()) == 5)
        paths[0].unlink()
        paths[1].rename(folder / "renamed.png")
        make_images(1, folder="elsewhere")[0].rename(folder / "new.png")
        (folder / "bad.png").write_bytes(b"bad")
        expected = {"renamed.png", "new.png", "0002.png", "0003.png", "0004.png"}
        wait_for(lambda: known() == expected)
        before = metadata_sha(target, paths[2])
        Image.new("RGB", (6, 6), "green").save(paths[2])
        wait_for(lambda: metadata_sha(target, paths[2]) != before)
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0
    assert "5 embedded, 0 unchanged, " in out
    assert f"skipped {folder / 'bad.png'}: not an image" in err
    assert err.count("bad.png") == 1
    assert err.count("not looked at: 1 .jxl") == 1
    assert err.endswith("ended\n")


def metadata_sha(gallery: Path, path: Path) -> str | None:
    with Gallery.open(gallery, readonly=True) as opened:
        return opened.sha256_of(str(path))


def test_watch_needs_folders(model: Path, tmp_path: Path, target: Path) -> None:
    result = run("watch", model, model, "--gallery", target)
    assert (result.exit_code, "no such folder" in result.stderr) == (2, True)
    result = run("watch", model, tmp_path, "--gallery", tmp_path / "none" / "g")
    assert (result.exit_code, "folder does not exist" in result.stderr) == (2, True)


def test_when_an_index_would_pay(
    model: Path,
    tmp_path: Path,
    target: Path,
    make_images: MakeImages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_images(3)
    command = ["embed", model, tmp_path / "faces", "--gallery", target]
    assert run(*command).stderr == ""
    monkeypatch.setattr("contrawarp_edge.gallery.ann.ann_index.MIN_ROWS", 3)
    line = f"`contrawarp-edge index {target}` would make searches quicker\n"
    assert run(*command).stderr == line

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("contrawarp_edge.ingest.watch.Watcher.run", interrupted)
    command = ["watch", model, tmp_path / "faces", "--gallery", target]
    assert run(*command).stderr.endswith(f"ended\n{line}")
