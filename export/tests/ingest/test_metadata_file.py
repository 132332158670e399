from __future__ import annotations

from pathlib import Path

import pytest

from contrawarp_edge import InputError
from contrawarp_edge.ingest.metadata_file import MetadataFile, identity_from_path


def table(tmp_path: Path, text: str, name: str = "data.csv") -> MetadataFile:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return MetadataFile(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(tmp_path: Path, delimiter: str) -> None:
    text = (
        "\ufeffage,path,name,ok,note\n"
        '30,a.png,"Ann ""A"" Lee",true,\n'
        "007,./sub/../b.png,1e3,True,x\n"
        "1.5,a b.png,é,false,\n"
    ).replace(",", delimiter)
    rows = table(tmp_path, text)
    assert rows.rows == 3
    assert rows(Path("a.png")) == {"age": 30, "name": 'Ann "A" Lee', "ok": True}
    b = {"age": "007", "name": 1000.0, "ok": "True", "note": "x"}
    assert rows(Path("b.png")) == rows(Path("./b.png")) == b
    assert rows(Path("a b.png")) == {"age": 1.5, "name": "é", "ok": False}
    assert rows(Path("c.png")) == {}


def test_json_lines(tmp_path: Path) -> None:
    text = '{"path": "a.png", "tags": ["x"], "age": 3}\n\n{"path": "b.png"}\n'
    rows = table(tmp_path, text, "data.jsonl")
    assert rows(Path("a.png")) == {"tags": ["x"], "age": 3}
    assert rows(Path("b.png")) == {}
    assert rows.rows == 2


def test_paths_may_be_relative_to_the_file(tmp_path: Path) -> None:
    rows = table(tmp_path, "path,age\nfaces/a.png,1\n")
    assert rows(tmp_path / "faces" / "a.png") == {"age": 1}
    assert rows(Path("faces/a.png")) == {"age": 1}
    assert rows(Path("a.png")) == {}


def test_frames_have_what_their_video_has(tmp_path: Path) -> None:
    rows = table(tmp_path, "path,age\nclip.mp4,1\nclip.mp4#t=2.000,2\n")
    assert rows(Path("clip.mp4#t=1.000")) == {"age": 1}
    assert rows(Path("clip.mp4#t=2.000")) == {"age": 2}


def test_the_last_row_counts(tmp_path: Path) -> None:
    rows = table(tmp_path, "path,age\na.png,1\na.png,2\n")
    assert (rows.rows, rows(Path("a.png"))) == (1, {"age": 2})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "no column `path`"),
        ("a.csv", "file,age\na.png,1\n", "no column `path`"),
        ("a.csv", "path,age\na.png,1,2\n", "line 2 has another number"),
        ("a.csv", "age,path\n1,a.png\n1\n", "line 3 has another number"),
        ("a.jsonl", "{}\n", "line 1 is no JSON object"),
        ("a.jsonl", '{"path": "a"}\n[]\n', "line 2 is no JSON object"),
        ("a.jsonl", '{"path": "a", "x": NaN}\n', "line 1 is no JSON object"),
        ("a.jsonl", '{"path": 3}\n', "line 1 is no JSON object"),
    ],
)
def test_malformed(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"{name}.*{message}"):
        table(tmp_path, text, name)


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"path,age\n\xff\xfe,1\n")
    with pytest.raises(InputError, match="not UTF-8"):
        MetadataFile(path)
    path.write_bytes(b"path,note\na.png," + b"x" * 200_000 + b"\n")
    with pytest.raises(InputError, match=r"a\.csv: line 2 field larger"):
        MetadataFile(path)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"faces/([^/]+)/", {"identity": "007"}),
        (r"(?:x)?faces/\d+", {"identity": "faces/007"}),
        (r"(faces)/(?P<identity>\d+)", {"identity": "007"}),
        (r"nobody/(\d+)", {}),
        (r"faces/(x*)", {}),
    ],
)
def test_identity(pattern: str, expected: dict[str, str]) -> None:
    assert identity_from_path(pattern)(Path("faces/007/a.png")) == expected


def test_no_pattern() -> None:
    with pytest.raises(InputError, match="no regular expression"):
        identity_from_path("(")


def test_one_path_in_all_its_forms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lists").mkdir()
    monkeypatch.chdir(tmp_path)
    text = f"path,age\n{tmp_path}/a.png,1\nb.png,2\nc.png,3\n"
    rows = table(tmp_path / "lists", text)
    for name, age in (("a.png", 1), ("b.png", 2), ("lists/c.png", 3)):
        for path in (Path(name), tmp_path / name):
            assert rows(path) == {"age": age}
