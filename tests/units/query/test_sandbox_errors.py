"""An error of DuckDB shows the line of the user's own text, with its number, and nothing that was put around it."""

from __future__ import annotations

import duckdb
import pytest

from logagg.query.sandbox_child import _in_one_line


def said(executed: str, own: str) -> str:
    with duckdb.connect() as connection:
        connection.execute("CREATE VIEW requests AS SELECT 1 AS status, 'x' AS path")
        with pytest.raises(duckdb.Error) as error:
            connection.execute(executed).fetchall()
    return _in_one_line(error.value, own)


@pytest.mark.parametrize(
    ("before", "own", "after", "shown"),
    [
        ("", "SELEC 1", "", "[LINE 1: SELEC 1]"),
        ("SELECT * FROM requests WHERE (\n", "statu = 1", "\n) ORDER BY path", "[LINE 1: statu = 1]"),
        ("SELECT * FROM requests WHERE (\n", "status = 1\nAND pth = ''", "\n)", "[LINE 2: AND pth = '']"),
        ("SELECT c0::VARCHAR FROM (\n", "SELECT 1\nAS a, nothing", "\n) AS answer(c0, c1)", "[LINE 2: AS a, nothing]"),
        ("", "\n\nSELECT\nnothing", "", "[LINE 4: nothing]"),
        ("", f"SELECT 1{' ' * 200}, nothing AS a{' ' * 200}FROM requests", "", "[LINE 1: ..."),
    ],
)
def test_the_line_is_that_of_the_user(before: str, own: str, after: str, shown: str) -> None:
    text = said(before + own.strip("\n") + after, own)
    assert shown in text and "\n" not in text


def test_what_was_put_around_is_not_shown() -> None:
    text = said("SELECT secret_of_ours(path) FROM requests WHERE (\nstatus = 1\n)", "status = 1")
    assert text.startswith("Catalog Error: ") and "LINE" not in text
