import warnings
from pathlib import Path

import numpy as np
import pytest
from obstacles import forbid_listing, silent_pipe
from PIL import Image
from torch.utils.data import DataLoader

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.folders import FaceFolder, scan_images


def _save(path: Path, colour: tuple[int, int, int] = (10, 20, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), colour).save(path)
    return path


def _truncated(path: Path) -> Path:
    """A file with a sound header that fails to decode."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-3000])
    return path


def test_scan__finds_nested_and_lists_broken_files(tmp_path: Path) -> None:
    good = [
        _save(tmp_path / "a.JPG"),
        _save(tmp_path / "b" / "c" / "d.png"),
        _save(tmp_path / "e" / "f.webp"),
    ]
    _save(tmp_path / ".hidden.jpg")
    _save(tmp_path / ".hidden" / "x.jpg")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no image")
    scan = scan_images(tmp_path)
    assert sorted(scan.paths) == sorted(good)
    assert [file.path.name for file in scan.skipped] == ["empty.png", "text.jpg"]
    assert all(file.reason for file in scan.skipped)
    assert str(scan.skipped[0]).startswith(f"{tmp_path / 'empty.png'}: ")


def test_scan__order_and_progress(tmp_path: Path) -> None:
    paths = [_save(tmp_path / f"{index:03}.png") for index in range(150)]
    calls: list[tuple[int, int]] = []
    scan = scan_images(tmp_path, on_progress=lambda *call: calls.append(call))
    assert scan.paths == paths
    assert calls == [(done, 150) for done in range(1, 151)]


def test_scan__passes_over_images_of_too_many_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightly_contrawarp.data.folders.MAX_PIXELS", 24)
    _save(tmp_path / "a.png")
    Image.new("RGB", (5, 5)).save(tmp_path / "b.png")
    scan = scan_images(tmp_path)
    assert [file.path.name for file in scan.skipped] == ["b.png"]
    assert scan.skipped[0].reason == "more than 24 pixels"


def test_scan__empty_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"no image in this folder.*\.jpg, \.png"):
        scan_images(tmp_path)


def test_scan__missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        scan_images(tmp_path / "nowhere")


def test_scan__all_broken_names_the_first_three(tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / f"{name}.jpg").write_text(name)
    with pytest.raises(InputError) as error:
        scan_images(tmp_path)
    message = str(error.value)
    assert all(f"{name}.jpg: " in message for name in "abc")
    assert "d.jpg" not in message
    assert "and 2 more" in message


def test_scan__unlistable_folder_and_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [_save(tmp_path / "a.png"), _save(tmp_path / "z" / "b.png")]
    (tmp_path / "closed").mkdir()
    forbid_listing(tmp_path / "closed", monkeypatch)
    with silent_pipe(tmp_path / "c.png") as pipe:
        scan = scan_images(tmp_path)
    assert scan.paths == good
    assert [(file.path, file.reason) for file in scan.skipped] == [
        (pipe, "not a regular file"),
        (tmp_path / "closed", "Permission denied"),
    ]
    forbid_listing(tmp_path, monkeypatch)
    with pytest.raises(InputError, match="Permission denied"):
        scan_images(tmp_path)


def test_scan__counts_files_of_other_kinds(tmp_path: Path) -> None:
    _save(tmp_path / "a.png")
    for name in ("b.JXL", "c.jxl", "clip.mp4", "README", ".hidden.jxl"):
        (tmp_path / name).touch()
    others = {".jxl": 2, "video": 1, "file without extension": 1}
    assert scan_images(tmp_path).others == others


def test_face_folder__items(tmp_path: Path) -> None:
    paths = [_save(tmp_path / f"{index}.png", (index, 0, 0)) for index in range(3)]
    dataset = FaceFolder(paths)
    image, index = dataset[2]
    assert len(dataset) == 3
    assert (image.mode, image.getpixel((0, 0)), index) == ("RGB", (2, 0, 0), 2)
    assert dataset[-1][1] == 2
    assert FaceFolder(paths, lambda image: image.size)[1] == ((6, 4), 1)
    with pytest.raises(IndexError):
        dataset[3]


def test_face_folder__replaces_broken_files(tmp_path: Path) -> None:
    paths = [
        _save(tmp_path / "0.png", (0, 0, 0)),
        _truncated(tmp_path / "1.png"),
        tmp_path / "gone.png",
    ]
    assert scan_images(tmp_path).skipped == []  # only decoding shows the damage
    dataset = FaceFolder(paths)
    with pytest.warns(UserWarning, match="Another image is used") as caught:
        image, index = dataset[1]
    assert (image.getpixel((0, 0)), index) == ((0, 0, 0), 0)
    assert len(caught) == 2
    assert str(paths[1]) in str(caught[0].message)
    assert list(dataset.failed) == paths[1:]
    assert "png" not in dataset.failed[paths[1]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # known by now
        assert [dataset[index][1] for index in range(3)] == [0, 0, 0]


def test_face_folder__nothing_readable(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.png" for index in range(2)]
    with (
        pytest.warns(UserWarning, match="Another image"),
        pytest.raises(InputError, match=r"not one of 2 files.*0\.png.*1\.png"),
    ):
        FaceFolder(paths)[0]


@pytest.mark.slow
def test_face_folder__in_worker_processes(tmp_path: Path) -> None:
    paths = [_save(tmp_path / f"{index}.png") for index in range(4)]
    paths.append(_truncated(tmp_path / "4.png"))
    dataset = FaceFolder(paths, lambda image: image.width)
    loader = DataLoader(
        dataset, batch_size=5, num_workers=1, multiprocessing_context="fork"
    )
    widths, indices = next(iter(loader))
    assert widths.tolist() == [6] * 5
    assert indices.tolist() == [0, 1, 2, 3, 0]
