"""Answers as HTML, for notebooks. All values are escaped, since clients choose what is logged.

A notebook runs scripts. It also typesets text between dollars as mathematics, which may contain links; two CSS classes
prevent that.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from logagg.notice_log import printable
from logagg.quantities import counted
from logagg.query.render import Rows
from logagg.query.tables import are_numbers, cells

MOST = 50  # rows that are shown


def table(answer: Rows, total: int, title: str = "") -> str:
    """Return the first rows of an answer of `total` rows."""
    rows = list(answer.rows)[:MOST]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(answer.columns)
    sides = ["right" if rows and are_numbers(column) else "left" for column in columns]
    texts = [cells(name, column) for name, column in zip(answer.columns, columns, strict=True)]
    head = _row("th", sides, answer.columns)
    body = "".join(_row("td", sides, row) for row in zip(*texts, strict=True))
    rest = _paragraph(f"the first {len(rows)} of {counted(total, 'row')}") if total > len(rows) else ""
    return framed(f"{_paragraph(title)}<table><thead>{head}</thead><tbody>{body}</tbody></table>{rest}")


def framed(content: str) -> str:
    """Return HTML in which notebooks do not search for mathematics."""
    return f'<div class="tex2jax_ignore mathjax_ignore">{content}</div>'


def text(value: str) -> str:
    """Return a text for HTML, with control characters escaped, too."""
    return escape(printable(value))


def _row(tag: str, sides: Iterable[str], values: Iterable[str]) -> str:
    cells = (
        f'<{tag} style="text-align: {side}">{text(value)}</{tag}>' for side, value in zip(sides, values, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _paragraph(content: str) -> str:
    return f"<p>{text(content)}</p>" if content else ""
