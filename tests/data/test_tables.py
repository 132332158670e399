from pathlib import Path

import pytest
from obstacles import silent_pipe

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.tables import csv_rows, spaced_rows


def test_rows__byte_order_mark_and_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b'\xef\xbb\xbfa,b\r\n\r\n"c\r\nd",e\r\n')
    assert list(csv_rows(path)) == [
        (f"{path} line 1", ["a", "b"]),
        (f"{path} line 4", ["c\r\nd", "e"]),
    ]
    path.write_bytes(b"\xef\xbb\xbfa  b\r\n\r\n c\n")
    assert list(spaced_rows(path)) == [
        (f"{path} line 1", ["a", "b"]),
        (f"{path} line 3", ["c"]),
    ]


def test_rows__of_a_pipe(tmp_path: Path) -> None:
    for rows, name in ((csv_rows, "a.csv"), (spaced_rows, "b.txt")):
        with (
            silent_pipe(tmp_path / name) as pipe,
            pytest.raises(InputError, match=f"{name}: not a regular file"),
        ):
            next(rows(pipe))
