"""Code that has to be read at once is short: functions of 50 lines, files of 500."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

LINES_OF_A_FUNCTION = 50
LINES_OF_A_FILE = 500
SOURCES = sorted(path for kind in ("*.py", "*.pyx") for path in (ROOT / "logagg").rglob(kind))
_DEFINED = re.compile(r"( *)(?:def|cdef|cpdef|async def) (?:[\w.\[\]*:]+ )*[*]*(\w+)\(.*", re.DOTALL)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name of each function, and its number of lines: with the docstring, without decorators."""
    text = path.read_text()
    if path.suffix == ".pyx":
        yield from _by_indentation(text.splitlines())
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def _by_indentation(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Yield the functions of a Cython module, which Python's own parser does not read."""
    for at, line in enumerate(lines):
        if not (found := _DEFINED.match(line)):
            continue
        margin, end = len(found[1]), at + 1
        last = end
        while end < len(lines) and _belongs(lines[end], margin):
            end += 1
            last = end if lines[end - 1].strip() else last
        yield found[2], last - at


def _belongs(line: str, margin: int) -> bool:
    """Return whether a line belongs to a function that begins at a margin; `)` may close its parameters there."""
    indentation = len(line) - len(line.lstrip())
    return not line.strip() or indentation > margin or (indentation == margin and line.lstrip().startswith(")"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_and_files_are_short(path: Path) -> None:
    assert {name: lines for name, lines in functions(path) if lines > LINES_OF_A_FUNCTION} == {}
    assert len(path.read_text().splitlines()) <= LINES_OF_A_FILE


def test_lines_are_counted() -> None:
    path = ROOT / "logagg/columnar/dictionary.pyx"
    assert {"masked", "spread"} <= dict(functions(path)).keys()
    assert dict(
        _by_indentation(["cdef int one(", "    int x,", ") noexcept:", "    a", "", "    b", "", "two = 1"])
    ) == {"one": 6}
    assert dict(functions(Path(__file__)))["functions"] == 9
