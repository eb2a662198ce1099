"""Texts are measured by the cells that a terminal gives them, and shortened between what is seen as characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.query.shorten import padded, shorten, width

ACUTE, SELECTOR = "\u0301", "\ufe0f"  # each combines with the character before it
WIDE = st.text(st.sampled_from(["a", "/", " ", "日", "é", ACUTE, "❤", SELECTOR, "🤖", "👨", "ｗ"]))


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", 0),
        ("path", 4),
        ("日本語", 6),
        ("ｗ", 2),
        ("é", 1),
        (f"e{ACUTE}", 1),
        ("🤖", 2),
        (f"❤{SELECTOR}", 2),
        ("한글", 4),
    ],
)
def test_width(text: str, cells: int) -> None:
    assert width(text) == cells
    assert padded(text, 9) == text + " " * (9 - cells) and padded(text, 9, right=True) == " " * (9 - cells) + text


@given(WIDE | st.text(), st.integers(0, 30))
def test_a_shortened_text_fits_and_is_as_long_as_it_may(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert width(short) <= limit
    assert short == text or "…" in short or limit == 0
    assert short == text or width(short) >= limit - 2  # of a wide character in each half, half may be left over


@given(WIDE, st.integers(1, 20))
def test_no_character_loses_its_accent(text: str, limit: int) -> None:
    before, mark, after = shorten(text, limit).partition("…")
    if mark:
        assert text.startswith(before) and text.endswith(after)
        assert not text[len(before) :].startswith((ACUTE, SELECTOR)) or not before
        assert not after.startswith((ACUTE, SELECTOR))


def test_paths_are_shortened_in_the_middle_and_texts_at_the_end() -> None:
    assert shorten("/shop/kettles/copper.html", 12) == "/shop/….html"
    assert shorten("https://example.com/a/b/c", 11) == "https…a/b/c"
    assert shorten("/日本語/日本語.html", 10) == "/日本…html"
    assert shorten("Mozilla Firefox", 8) == "Mozilla…"
    assert shorten("Mozilla/5.0 (X11; Linux)", 12) == "Mozilla/5.0…"
    assert shorten("日本語日本語", 6) == "日本…"
    assert [shorten("/a/b", limit) for limit in (0, 1, 2, 3)] == ["", "…", "/…", "/…b"]
