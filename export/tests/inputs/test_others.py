from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from contrawarp_edge.inputs.others import kind_of, say_others


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("IMG_1.HEIC", ".heic"),
        ("a.b.jxl", ".jxl"),
        ("clip.MOV", "video"),
        ("LICENSE", "file without extension"),
        ("ends.", "file without extension"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(Path("some.where", name)) == kind


def test_what_can_be_helped_comes_first_and_no_line_gets_long() -> None:
    assert say_others(Counter()) == ""
    others = Counter({f".x{n}": n for n in range(1, 20)})
    others |= Counter({".heic": 2, "video": 1200, "file without extension": 2})
    assert say_others(others, "cut them") == (
        "not looked at: 1,200 videos (cut them), 2 .heic (pip install "
        "'contrawarp-edge[heif]'), 19 .x19, 18 .x18, 17 .x17, 16 .x16, "
        "122 of other kinds"
    )
    one = Counter({"file without extension": 1, "video": 1})
    assert (
        say_others(one, "h") == "not looked at: 1 video (h), 1 file without extension"
    )
    two = Counter({"file without extension": 2, "video": 2})
    assert say_others(two, "h") == (
        "not looked at: 2 videos (h), 2 files without extension"
    )
