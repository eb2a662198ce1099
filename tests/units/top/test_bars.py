"""Bars are as high as their values, in eighths, and every value can be seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logagg.top import bars

VALUES = st.lists(st.integers(0, 10**12), min_size=1, max_size=20)


@given(VALUES, st.integers(1, 12))
def test_heights(values: list[int], rows: int) -> None:
    found, most = bars.heights(values, max(values), rows), max(values)
    for value, height in zip(values, found, strict=True):
        assert (height > 0) == (value > 0)
        assert height <= rows * 8
        assert not most or abs(height - value / most * rows * 8) <= 1
    assert sorted(found) == [
        found[place] for place in sorted(range(len(values)), key=lambda at: (values[at], found[at]))
    ]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6), st.integers(0, 64))
def test_a_stack_is_as_high_as_its_bar(parts: list[int], height: int) -> None:
    ends = bars.stack(parts, height)
    assert ends == sorted(ends) and (not sum(parts) or ends[-1] == height)
    styles = [str(place) for place in range(len(parts))]
    column = [bars.cell(ends, styles, row) for row in range(8)]
    filled = "".join(span.text for span in column)
    top = ends[-1]
    assert filled.rstrip() == filled[: -(-top // 8)] and len(filled) == 8  # no hole, and nothing above the top
    if top % 8:
        assert column[top // 8].text == bars.UP[top % 8]


def test_a_bar_to_the_right() -> None:
    assert bars.right(1, 4) == "████" and bars.right(0, 4) == "    "
    assert bars.right(0.5, 3) == "█▌ " and bars.right(0.0001, 2) == "▏ "
