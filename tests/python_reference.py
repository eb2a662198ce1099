"""The reference of the public names in Python, from their docstrings: docs/python.md."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import logagg

# The headings of the page, each with the names below it: those of `logagg`, and of its classes.
CHAPTERS = {
    "Lakes": ("open", "OpenLake"),
    "Snapshots": ("Snapshot",),
    "Answers": ("Answer",),
    "Plain DuckDB": ("connect",),
    "Errors": (
        *("LogaggError", "ConfigError", "FormatError", "SourceError"),
        *("LakeError", "LakeLocked", "CommitFailed"),
    ),
}
WITHOUT_DOCSTRING = ("__version__",)


def reference() -> Iterator[str]:
    """Yield the lines of the reference."""
    for chapter, names in CHAPTERS.items():
        yield from (f"## {chapter}", "")
        for name in names:
            yield from _entry(name)


def documented() -> dict[str, Any]:
    """Return by its name what the reference has, with methods as `OpenLake.sql`."""
    found: dict[str, Any] = {}
    for name in (name for names in CHAPTERS.values() for name in names):
        found[name] = getattr(logagg, name)
        if not _is_error(found[name]):
            found |= {f"{name}.{method}": of for method, of in methods(found[name])}
    return found


def methods(kind: object) -> list[tuple[str, Any]]:
    """Return the public methods of a class, in the order in which they stand."""
    own = vars(kind).items() if inspect.isclass(kind) else ()
    return [(name, of) for name, of in own if not name.startswith("_") and inspect.isfunction(of)]


def _entry(name: str) -> Iterator[str]:
    of = getattr(logagg, name)
    if _is_error(of):
        yield from (f"- `logagg.{name}`: {inspect.getdoc(of)}", "")
        return
    yield from _documented(f"logagg.{name}", of)
    for method, function in methods(of):
        yield from _documented(f"{name}.{method}", function)


def _documented(name: str, of: Any) -> Iterator[str]:
    called = "" if inspect.isclass(of) else _signature(of)
    yield from (f"### `{name}`", "", *([f"`{name.rpartition('.')[2]}{called}`", ""] if called else []))
    for block in re.split(r"\n\n", inspect.getdoc(of) or ""):
        yield from (["```pycon", block, "```", ""] if block.startswith(">>> ") else [" ".join(block.split()), ""])


def _signature(of: Any) -> str:
    """Return how a function is called, as a user needs it: without `self`, names without their modules."""
    found = inspect.signature(of)
    text = str(found.replace(parameters=[one for name, one in found.parameters.items() if name != "self"]))
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)  # annotations are strings


def _is_error(of: object) -> bool:
    return inspect.isclass(of) and issubclass(of, Exception)
