"""Messages from templates, with values that clients choose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.alert.text import LONGEST, clean, rendered

VALUES: dict[str, str | float | None] = {"site": "shop", "value": 0.0512, "n": 1200.0, "none": None}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{site}: {value:.1%} of {n} requests", "shop: 5.1% of 1,200 requests"),
        ("{n:d} {n:,} {n:.1f} {value} {value:.2f}", "1200 1,200 1200.0 0.0512 0.05"),
        ("{{site}} {none} {other}", "{site} nothing {other}"),
        ("{value:1000000000} {n:>99999999}", "0.0512 1,200"),  # a width would take the memory
        ("{site.__class__} {site[0]} {site!r} {0}", "{site.__class__} {site[0]} {site!r} {0}"),
        ("{site:.1%}", "shop"),
        ("{n:%d}", "1,200"),
        ("}{", "}{"),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert rendered(template, VALUES) == text


def test_a_site_without_a_name_is_called_so() -> None:
    assert rendered("{site}, {path}", {"site": "-", "path": "-"}) == "unnamed site, -"


def test_a_value_is_not_a_template() -> None:
    assert rendered("{site}", {"site": "{value} {site}", "value": 1.0}) == "{value} {site}"


@pytest.mark.parametrize("text", ["a\r\nBcc: x@example.com", "\x1b[31m", "\u202etxt", "\u2028", "\0", "\ud800"])
def test_a_value_is_one_printable_line(text: str) -> None:
    found = rendered("{site}", {"site": text})
    assert found.isprintable()
    assert "\n" not in found


def test_a_long_value_is_cut() -> None:
    assert len(rendered("{site}", {"site": "x" * 5_000})) == LONGEST


@given(
    st.text(),
    st.dictionaries(st.sampled_from(["site", "n"]), st.text() | st.floats(allow_nan=False, allow_infinity=False)),
)
def test_any_template(template: str, values: dict[str, str | float]) -> None:
    rendered(template, values)


@given(st.text())
def test_any_text(text: str) -> None:
    assert clean(text).isprintable()
