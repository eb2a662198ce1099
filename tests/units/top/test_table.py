"""Numbers and heads are never cut, at any width that holds one of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logagg.query.shorten import width
from logagg.top.spans import cells, plain, text_of
from logagg.top.table import GAP, Column, fitted, heads, row_of

NUMBERS = st.lists(st.integers(0, 10**9).map("{:,}".format), min_size=1, max_size=1)
TEXTS = st.lists(st.text(max_size=60).map(text_of), min_size=1, max_size=1)


@given(TEXTS, TEXTS, st.lists(NUMBERS, min_size=1, max_size=4), st.integers(24, 120))
def test_numbers_are_whole(one: list[str], two: list[str], numbers: list[list[str]], wide: int) -> None:
    columns = [Column("Path", one, "path"), Column("Referrer", two, "referrer")]
    columns += [Column(f"Head{place}", cells_, f"m{place}", number=True) for place, cells_ in enumerate(numbers)]
    spares = [column.name for column in columns if column.number][1:]
    found, widths = fitted(columns, spares, wide)
    assert sum(widths) + len(GAP) * (len(widths) - 1) <= wide
    assert cells(row_of(found, widths, 0)) == cells(heads(found, widths).line) <= wide
    shown = plain(row_of(found, widths, 0))
    for column in found:
        assert not column.number or (column.cells[0] in shown and column.head in plain(heads(found, widths).line))
    kept = [column.name for column in found if column.number]
    assert kept == [column.name for column in columns if column.number][: len(kept)] and kept


def test_heads_that_sort_are_where_they_stand() -> None:
    columns = [Column("Path", ["/a"], "path"), Column("Hits▼", ["12"], "hits", number=True)]
    found, widths = fitted(columns, [], 40)
    line, numbers = heads(found, widths)
    [(name, start, end)] = numbers
    assert name == "hits" and plain(line)[start:end] == "Hits▼"
    assert width("Hits▼") == end - start
