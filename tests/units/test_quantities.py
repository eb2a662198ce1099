"""Counts and sizes in messages; no message of the package has `1 lines`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from logagg.quantities import counted, size
from tests.conftest import ROOT

MODULES = sorted((ROOT / "logagg").rglob("*.py"))
# Nouns behind a number that may not be 1, or that are no count of things: `5 s ago`, `30 s`.
_PLURAL = re.compile(r"\A (?!lines/s)(?!as\b|is\b|has\b|was\b|this\b|its\b|thus\b)[a-z]{3,}s\b")


def test_one_is_singular() -> None:
    assert [counted(number, "commit") for number in (0, 1, 2000)] == ["0 commits", "1 commit", "2,000 commits"]
    assert [counted(number, "query", "queries") for number in (1, 2)] == ["1 query", "2 queries"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1_500_000, "1.5 MB"),
        (2e9, "2.0 GB"),
        (3e12, "3.0 TB"),
        (5e15, "5.0 PB"),
        (7e18, "7000.0 PB"),
    ],
)
def test_sizes_are_of_thousands(count: float, text: str) -> None:
    assert size(count) == text


def plurals(module: Path) -> Iterator[str]:
    """Yield each number in an f-string that is followed by a noun in the plural, whatever the number is."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.JoinedStr):
            for value, text in zip(node.values, node.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                    is_number = value.format_spec is not None or "len(" in ast.unparse(value.value)
                    if is_number and _PLURAL.match(noun := str(text.value)):
                        yield f"{module.relative_to(ROOT)}:{node.lineno}: {ast.unparse(value.value)}{noun}"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_no_message_says_1_lines(module: Path) -> None:
    assert list(plurals(module)) == []  # write `counted(number, "line")`
