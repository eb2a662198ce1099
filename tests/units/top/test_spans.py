"""Lines have exactly their widths, whatever is in them, and nothing in them is acted upon."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.query.shorten import width
from logagg.top.spans import (
    LONGEST,
    Hit,
    Picture,
    Span,
    beside,
    between,
    cells,
    clipped,
    filled,
    plain,
    stacked,
    text_of,
)

TEXTS = st.text(max_size=40)
HOSTILE = "[red]x[/red]\x1b[31m\u202e\u200b漢字\u0301🦊\n\t\x00"


@given(st.lists(TEXTS, max_size=5), st.integers(0, 60))
def test_a_line_is_filled_to_its_width(texts: list[str], limit: int) -> None:
    line = filled([Span(text_of(text)) for text in texts], limit)
    assert cells(line) == limit
    assert cells(clipped(line, limit // 2)) <= limit // 2


@given(TEXTS)
def test_a_text_has_nothing_to_act_upon(text: str) -> None:
    shown = text_of(text)
    assert shown.isprintable() and shown
    assert width(shown) >= 0


def test_markup_and_escapes_are_text() -> None:
    assert text_of(HOSTILE) == "[red]x[/red]\\x1b[31m\\u202e\\u200b漢字\u0301🦊\\n\\t\\x00"
    assert text_of("\u3164a\ufe0f\U000e0100") == "\\u3164a\\ufe0f\\U000e0100"
    assert text_of(None) == text_of("") == "–"
    assert len(text_of("x" * 1_000_000)) == LONGEST + 1


def test_two_ends_of_a_line() -> None:
    line = between((Span("left"),), (Span("right"),), 12)
    assert plain(line) == "left   right"
    assert plain(between((Span("a long text"),), (Span("right"),), 10)) == "a lo…right"


def test_clicks_move_with_their_lines() -> None:
    one = Picture([(Span("a"),), (Span("b"),)], [Hit(1, 0, 1, "row")])
    both = beside([one, one], [3, 3], 2)
    assert [plain(line) for line in both.lines] == ["a    a  ", "b    b  "]
    assert [(hit.line, hit.start) for hit in both.hits] == [(1, 0), (1, 5)]
    assert [(hit.line, hit.start) for hit in stacked([one, both]).hits] == [(1, 0), (3, 0), (3, 5)]


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_wide_characters_are_not_halved(limit: int) -> None:
    assert cells(filled([Span("漢字")], limit)) == limit
