"""Hostile values are harmless in tables, JSON and CSV; numbers are exact."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from logagg.query.render import Rows, text_of

NASTY = "\x1b[31mred\u202e\x07"


def test_a_table_escapes_control_characters() -> None:
    assert text_of(Rows((NASTY, "n"), [(NASTY, 1234567), (None, float("nan"))]), "table").isascii()


def test_json_is_exact_and_complete() -> None:
    row = (2**64 - 1, float("nan"), None, datetime(2026, 11, 24, tzinfo=UTC), [1, 2**64 - 1], NASTY)
    text = text_of(Rows(("a", "b", "c", "d", "e", "a"), [row]), "json")
    assert json.loads(text) == [
        {"a": 2**64 - 1, "b": None, "c": None, "d": "2026-11-24T00:00:00Z", "e": [1, 2**64 - 1], "a_1": NASTY}
    ]
    assert "\u202e" not in text
    assert text_of(Rows(("a",), []), "json") == "[]\n"


def test_csv_has_no_formula() -> None:
    rows: list[tuple[object, ...]] = [("=1+1",), ("+1",), ("-1",), ("@x",), ("\tx",), ("x=",), (-1,), (None,)]
    lines = text_of(Rows(("value",), rows), "csv").splitlines()
    assert lines == ["value", "'=1+1", "'+1", "'-1", "'@x", "'\tx", "x=", "-1", '""']
