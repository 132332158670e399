from __future__ import annotations

import json
import operator
import random
import sqlite3

import pytest

from contrawarp_edge import InputError
from contrawarp_edge.gallery.conditions import (
    ADDED,
    Condition,
    parse_condition,
    parse_date,
    parse_value,
)

ROWS = [
    {"age": 30, "set": "train", "taken": "2024-05-01", "who": "007"},
    {"age": 29.5, "set": "test", "taken": "2023-12-31", "who": "7"},
    {"age": "30", "set": "train", "ok": True},
    {"age": None, "set": ["train"], "ok": False},
    {"a b": 1, 'q"uote': "x"},
    {},
]


def fitting(*conditions: Condition) -> list[int]:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE images (id, metadata, added)")
        connection.executemany(
            "INSERT INTO images VALUES (?, ?, ?)",
            [
                (row, json.dumps(facts), f"2026-01-0{row + 1}T00:00:00+00:00")
                for row, facts in enumerate(ROWS)
            ],
        )
        tests, values = zip(*(c.to_sql() for c in conditions), strict=True)
        found = connection.execute(
            f"SELECT id FROM images WHERE {' AND '.join(tests)} ORDER BY id",
            [value for some in values for value in some],
        )
        return [id for (id,) in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set=train", [0, 2]),
        ("set!=train", [1]),
        ("age=30", [0, 2]),
        ('age="30"', [2]),
        ("age!=30", [1]),
        ("age>=30", [0]),
        ("age<30", [1]),
        ("age<=30", [0, 1]),
        ("age > 29.4", [0, 1]),
        ("who=7", [1]),
        ("who=007", [0]),
        ("taken>=2024-01-01", [0]),
        ("taken<2024-01-01", [1]),
        ("ok=true", [2]),
        ("ok=false", [3]),
        ("a b=1", [4]),
        ('q"uote=x', [4]),
        ("none=1", []),
        ("none!=1", []),
    ],
)
def test_conditions(text: str, expected: list[int]) -> None:
    assert fitting(parse_condition(text)) == expected


def test_all_conditions_count() -> None:
    both = parse_condition("set=train"), parse_condition("age>=30")
    assert fitting(*both) == [0]
    since = Condition(ADDED, ">=", parse_date("2026-01-03T00:00Z"))
    assert fitting(since) == [2, 3, 4, 5]
    assert fitting(since, Condition(ADDED, "<", parse_date("2026-01-04T00:00Z"))) == [2]


def test_numbers_compare_like_numbers() -> None:
    rng = random.Random(0)
    signs = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
    for _ in range(200):
        sign, value = rng.choice(list(signs)), rng.choice([29, 29.5, 30, -1, 31])
        expected = [
            row
            for row, facts in enumerate(ROWS)
            if isinstance(facts.get("age"), (int, float))
            and signs[sign](facts["age"], value)
        ]
        assert fitting(parse_condition(f"age{sign}{value}")) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-2.50", -2.5),
        ("1e3", 1000.0),
        ("007", "007"),
        ("12345678901234567890", "12345678901234567890"),
        ("1e999", "1e999"),
        ("true", True),
        ("True", "True"),
        ('"1"', "1"),
        ("", ""),
        ("NaN", "NaN"),
        ("Anna", "Anna"),
    ],
)
def test_values(text: str, value: object) -> None:
    found = parse_value(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", ["set", "=train", " =1", "", "<3"])
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(InputError, match="not a condition"):
        parse_condition(text)


def test_what_is_no_operator() -> None:
    with pytest.raises(InputError, match="none of"):
        Condition("a", "~", 1)  # type: ignore[arg-type]


def test_dates() -> None:
    assert parse_date("2026-05-31T12:00:00+02:00") == "2026-05-31T10:00:00+00:00"
    assert parse_date("2026-05-31T10:00Z") == "2026-05-31T10:00:00+00:00"
    assert len(parse_date("2026-05-31")) == len("2026-05-31T10:00:00+00:00")
    for text in ("yesterday", "2026-13-01", "0001-01-01T00:00+23:00", ""):
        with pytest.raises(InputError, match="not a date"):
            parse_date(text)
