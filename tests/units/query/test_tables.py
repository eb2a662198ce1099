"""Tables fit a terminal: numbers and headers are whole, texts are shortened, wide characters count twice."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.query.render import Rows, text_of, write
from logagg.query.shorten import width
from logagg.query.tables import fitting

PATH = "/articles/2026/a-very-long-name-of-an-article/picture.html"
ANSWER = Rows(
    ("site", "path", "views", "first"),
    [("shop.example.com", PATH, 1_234_567_890, datetime(2026, 3, 2, tzinfo=UTC)), ("日本語" * 10, "/", 1, None)],
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(answer: Rows, columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(os, "environ", {"COLUMNS": str(columns), "TERM": "dumb"})
    stream = Terminal()
    write(answer, "table", stream)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("columns", [200, 120, 80, 60, 40])
def test_every_line_fits_and_numbers_are_whole(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(ANSWER, columns, monkeypatch)
    text = "\n".join(lines)
    assert max(map(width, lines)) <= columns
    for whole in ("site", "path", "views", "first", "1,234,567,890", "2026-03-02 00:00:00"):
        assert whole in text
    assert (PATH in text) == (columns >= 200) and ".html" in text
    assert (len(lines) == 3) == (columns >= 60)


def test_columns_are_aligned_by_their_width(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(Rows(("name", "n"), [("日本語", 1), ("é", 22), ("e\u0301", 3)]), 80, monkeypatch)
    assert lines == ["name     n", "日本語   1", "é       22", "e\u0301        3"]
    assert text_of(Rows(("name", "n"), [("日本語", 1)]), "table") == "name    n\n日本語  1\n"


def test_a_terminal_of_40_columns_shows_many_columns_as_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Rows(("path", *(f"measure_{number}" for number in range(8))), [(PATH, *range(10**9, 10**9 + 8))] * 2)
    lines = shown(answer, 40, monkeypatch)
    assert lines[0].startswith("path       /articles/") and "…" in lines[0] and lines[9] == ""
    assert lines[1] == "measure_0  1,000,000,000" and len(lines) == 19
    header = shown(Rows(answer.columns, []), 40, monkeypatch)
    assert len(header) == 1 and header[0].split() == list(answer.columns)


def test_years_have_no_thousands() -> None:
    answer = Rows(("year", "year(ts)", "years", "n"), [(2026, 2026, 2026, 2026)])
    assert text_of(answer, "table").split() == ["year", "year(ts)", "years", "n", "2026", "2026", "2,026", "2,026"]


@pytest.mark.parametrize(
    "name", ["asn", "visitor", "id", "first_id", "port", "pid", "date_part('year', ts)", "epoch(ts)"]
)
def test_a_number_that_is_a_name_has_no_thousands(name: str) -> None:
    assert text_of(Rows((name,), [(13335,)]), "table").splitlines()[1].strip() == "13335"


@pytest.mark.parametrize("name", ["visitors", "hits", "valid", "amid", "portions", "ideas"])
def test_an_amount_has_thousands(name: str) -> None:
    assert text_of(Rows((name,), [(13335,)]), "table").splitlines()[1].strip() == "13,335"


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=6), st.integers(0, 120))
def test_the_widest_gives_way_first(columns: list[tuple[int, int]], limit: int) -> None:
    widths, least = [max(pair) for pair in columns], [min(pair) for pair in columns]
    found = fitting(widths, least, limit)
    free = limit - 2 * (len(widths) - 1)
    if found is None:
        assert sum(least) > free
        return
    assert sum(found) <= free and all(low <= one <= wide for low, one, wide in zip(least, found, widths, strict=True))
    shortened = [one for one, wide in zip(found, widths, strict=True) if one < wide]
    assert not shortened or sum(found) == free
    for one, low in zip(found, least, strict=True):
        assert one <= low or all(one <= other + 1 for other in shortened)
