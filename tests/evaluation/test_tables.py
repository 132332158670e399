from lightly_contrawarp.evaluation.statistics.intervals import Estimate
from lightly_contrawarp.evaluation.tables import Table, encoder_table, estimate_cell


def test_table__columns_line_up() -> None:
    table = Table("Title", "", ["encoder", "x"], [["long name", "1"]])
    assert table.to_text() == "Title      x\nlong name  1"


def test_encoder_table__a_row_for_each_and_one_for_chance() -> None:
    columns = {"twice": lambda number: f"{2 * number}"}
    table = encoder_table("Title", "note", {"a": 1, "b": 2}, columns, ["0"])
    assert table.header == ["encoder", "twice"]
    assert table.rows == [["a", "2"], ["b", "4"], ["chance", "0"]]
    assert encoder_table("Title", "note", {"a": 1}, columns).rows == [["a", "2"]]


def test_estimate_cell() -> None:
    estimate = Estimate(0.5, (0.25, 0.755), 0.1)
    assert estimate_cell(estimate) == "50.0 (25.0 to 75.5)"
    assert estimate_cell(estimate, "{:+.2f}".format) == "+0.50 (+0.25 to +0.76)"
    assert estimate_cell(None) == "-"
