"""Hostile values are harmless in tables, JSON, CSV, TSV and Markdown; numbers are exact for programs."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.commands import output
from logagg.query import render
from logagg.query.render import Rows, text_of, write

NASTY = "\x1b[31mred\u202e\x07"
ODD = "a\tb\\n\nc\r|"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(answer: Rows, form: str) -> str:
    stream = Terminal()
    write(answer, form, stream)
    return stream.getvalue()


def guarded(answer: Rows, form: str) -> list[str]:
    stream = io.StringIO()
    write(answer, form, stream, formula_guard=True)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_table_escapes_control_characters(form: str) -> None:
    assert text_of(Rows((NASTY, "n"), [(NASTY, 1234567), (None, float("nan"))]), form).isascii()


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_is_exact_and_complete(form: str) -> None:
    row = (2**64 - 1, float("nan"), None, datetime(2026, 11, 24, tzinfo=UTC), [1, 2**64 - 1], NASTY)
    text = text_of(Rows(("a", "b", "c", "d", "e", "a"), [row, row]), form)
    found = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
    expected = {"a": 2**64 - 1, "b": None, "c": None, "d": "2026-11-24T00:00:00Z", "e": [1, 2**64 - 1], "a_1": NASTY}
    assert found == [expected, expected]
    assert "\u202e" not in text
    assert text_of(Rows(("a",), []), form) == {"json": "[]\n", "jsonl": ""}[form]


FORMULAS: list[tuple[object, ...]] = [("=1+1",), ("+1",), ("-1",), ("@x",), ("x=",), (-1,), ("-",), (True,), (None,)]


def test_csv_changes_no_value() -> None:
    lines = text_of(Rows(("value",), FORMULAS), "csv").splitlines()
    assert lines == ["value", "=1+1", "+1", "-1", "@x", "x=", "-1", "-", "true", '""']


@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_a_guard_takes_formulas_from_spreadsheets(form: str) -> None:
    lines = guarded(Rows(("=a", "n"), [(value, 1) for (value,) in FORMULAS]), form)
    cells = [line.replace(",", "\t").split("\t")[0] for line in lines]
    assert cells == ["'=a", "'=1+1", "'+1", "'-1", "'@x", "x=", "-1", "-", "true", ""]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=3))
def test_csv_and_tsv_are_read_as_they_were(rows: list[tuple[str, str]]) -> None:
    answer = Rows(("a", "b"), rows)
    text = text_of(answer, "csv")
    assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))] == [("a", "b"), *rows]
    lines = text_of(answer, "tsv").split("\n")
    assert [tuple(map(unescaped, line.split("\t"))) for line in lines[1:-1]] == rows


def unescaped(cell: str) -> str:
    parts = cell.split("\\\\")
    return "\\".join(part.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r") for part in parts)


def test_tsv_escapes_as_is_common() -> None:
    assert text_of(Rows(("x", "y"), [(ODD, None)]), "tsv") == "x\ty\na\\tb\\\\n\\nc\\r|\t\n"


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "jsonl", "markdown", "table"])
def test_a_terminal_gets_no_control_characters(form: str) -> None:
    shown = on_terminal(Rows((NASTY,), [(NASTY,)]), form).replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert shown.isascii() and not {"\x1b", "\x07"} & set(shown)


def test_markdown_shows_what_there_is() -> None:
    rows = [("a|b", 1234, "<b>*x*_y_a_b`"), ("\\|\n", 5, None)]
    assert text_of(Rows(("na|me", "n", "text"), rows), "markdown").splitlines() == [
        r"| na\|me | n | text |",
        "| --- | ---: | --- |",
        r"| a\|b | 1,234 | \<b\>\*x\*\_y_a_b\` |",
        r"| \\\|\\n | 5 |  |",
    ]


@pytest.mark.parametrize("form", ["csv", "tsv", "markdown", "json", "jsonl"])
def test_rows_are_written_one_by_one(form: str) -> None:
    stream, seen = io.StringIO(), []

    def rows() -> object:
        for number in range(3_000):
            seen.append(stream.tell())
            yield (number,)

    write(Rows(("n",), rows()), form, stream)  # type: ignore[arg-type]
    assert seen[-1] > seen[1_500] > 0


def test_the_formats_of_the_commands_are_those_that_are_written() -> None:
    assert (output.FORMATS, output.GUARDED) == (render.FORMATS, render.GUARDED)
