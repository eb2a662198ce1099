"""Completion by the shell, after Tab: lakes, reports, and the names in a lake that a query may have.

click asks these functions while a command line is being written, so they never fail: where nothing can be known, nothing is
completed. What they read is names only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from glob import escape, iglob
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from logagg.lake_format import LINK

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

MOST = 1_000  # directories that are looked at
_WORD = re.compile(r"\w*$")
_WORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "HAVING", "AND", "OR", "NOT", "IN", "LIKE", "AS"),
    *("sum", "count", "total", "uniques", "share", "ctr", "latency_p", "now"),
)


def lakes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the directory of a lake; where none begins so, any directory, which a lake may be in."""
    found = [str(place) for place in _directories(incomplete) if (place / LINK).is_symlink()]
    return [CompletionItem(place) for place in found] or [CompletionItem(incomplete, type="dir")]


def rollups(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a rollup of the lake."""
    return _beginning([name for name in _names(context, _VIEWS) if name != "requests"], incomplete)


def columns(*, of: str) -> Complete:
    """Return a function that completes the last word of a condition over a view: its columns."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return _last_word([*_names(context, _COLUMNS, [of]), "AND", "OR", "NOT"], incomplete)

    return complete


def column_list(*, of: str) -> Complete:
    """Return a function that completes the last of some columns with commas between them."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        named = set(before.split(","))
        found = [name for name in _names(context, _COLUMNS, [of]) if name not in named]
        return _beginning(found, last, before + comma)

    return complete


def words(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the last word of a query: views, tables, columns, keywords and functions of SQL."""
    return _last_word([*_names(context, _ALL), *_WORDS], incomplete)


_VIEWS = "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
_COLUMNS = "SELECT column_name FROM duckdb_columns() WHERE NOT internal AND table_name = ? ORDER BY column_index"
_ALL = """
    SELECT DISTINCT unnest([table_name, column_name]) FROM duckdb_columns()
    WHERE NOT internal AND schema_name = 'main' ORDER BY 1"""


def _names(context: click.Context, query: str, values: Sequence[str] = ()) -> list[str]:
    """Return names from the newest catalog of the lake that the command line says; none if there is no such lake."""
    import duckdb

    from logagg.errors import LogaggError
    from logagg.query.snapshot import connect

    try:
        with connect(context.params.get("lake") or "lake") as connection:
            return [str(name) for (name,) in connection.execute(query, list(values)).fetchall()]
    except (LogaggError, duckdb.Error, OSError):
        return []


def _directories(incomplete: str) -> list[Path]:
    """Return the directories whose path begins so, and those in one that is named, the nearest ones first."""
    beginning = escape(incomplete)
    found: list[Path] = []
    for pattern in (f"{beginning}*/", f"{beginning}*/*/"):
        for place in iglob(pattern):
            found.append(Path(place))
            if len(found) == MOST:
                return found
    return found


def _last_word(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    start = _WORD.search(incomplete)
    assert start, "it matches nothing, too"
    return _beginning(names, start.group(), incomplete[: start.start()])


def _beginning(names: Iterable[str], incomplete: str, before: str = "") -> list[CompletionItem]:
    return [CompletionItem(before + name) for name in names if name.lower().startswith(incomplete.lower())]
