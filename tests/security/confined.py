"""The sandbox process of these tests: the product's own code, without some guards, makes many attacks.

The product has no way to switch a guard off: a bootstrap of the tests replaces its functions before they are called.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from logagg.errors import QueryRefused
from logagg.query import sandbox_child, sandbox_frames, sandbox_kernel, sandbox_sql

CHILD = ("threads", "resources", "files", "syscalls", "paths", "settings")  # the kernel's and DuckDB's
TEXT = ("statement", "kinds", "functions", "tables")  # checks of the query's text
GUARDS = (*CHILD, *TEXT)


def bootstrap(
    without: Sequence[str], things: Sequence[dict[str, Any]], path: str, *, landlock: int | None = None
) -> str:
    """Return the text that a fresh interpreter runs instead of `sandbox.BOOTSTRAP`."""
    told = json.dumps({"without": list(without), "things": list(things), "landlock": landlock})
    return f"""import json, sys
asked = json.load(sys.stdin)
sys.path[:] = [*asked.pop("path"), {path!r}]
from tests.security import confined
confined.main(asked, json.loads({told!r}))"""


def main(asked: dict[str, Any], told: dict[str, Any]) -> None:
    take_away(told["without"])
    if told["landlock"] is not None:
        sandbox_kernel.landlock_version = lambda: told["landlock"]
    if told["things"]:
        from tests.security import attacks  # later imports are impossible

        sandbox_child.checked = lambda _, query: query  # type: ignore[assignment]
        sandbox_child._rows = lambda connection, _: _tried(connection, told["things"], attacks.DEEDS)  # type: ignore[assignment]
    sandbox_child.main(asked)


def take_away(names: Sequence[str]) -> None:
    kept = tuple(guard for guard in sandbox_child.GUARDS if guard.__name__.removeprefix("guard_") not in names)
    assert len(kept) == len(sandbox_child.GUARDS) - len(set(names) & set(CHILD)), names
    sandbox_child.GUARDS = kept  # type: ignore[assignment]
    nothing: Callable[..., None] = lambda *_: None  # noqa: E731
    if "lifetime" in names:
        sandbox_child.guard_lifetime = nothing
    if "kinds" in names:
        sandbox_sql._check_kind = nothing
    if "functions" in names:
        sandbox_sql._check_function = nothing
    if "tables" in names:
        sandbox_sql._check_table = nothing
    if "statement" in names:
        sandbox_sql.check = _check_trees


def _check_trees(connection: Any, text: str) -> sandbox_sql.Checked:
    """Check SELECT statements as always, and accept all other statements."""
    explains = text.startswith("EXPLAIN")
    try:
        trees = sandbox_sql._trees(connection, sandbox_sql._explained(text).select if explains else text)
    except QueryRefused:
        trees = []
    for tree in trees:
        sandbox_sql._check_tree(tree)
    return sandbox_sql.Checked(text)


def _tried(
    connection: Any, things: list[dict[str, Any]], deeds: dict[str, Callable[..., object]]
) -> Iterator[tuple[bytes, bytes]]:
    """Try one attack after another, and report of each whether it worked, and its output."""
    yield sandbox_frames.SCHEMA, json.dumps(["worked", "said"]).encode()
    rows = []
    for thing in things:
        try:
            if "deed" in thing:
                said = deeds[thing["deed"]](*thing["arguments"])
            else:
                query = sandbox_sql.check(connection, thing["sql"]).text
                said = connection.execute(query).fetchmany(20)
            rows.append([True, str(said)])
        except BaseException as error:
            rows.append([False, f"{type(error).__name__}: {error}"])
    yield sandbox_frames.BATCH, json.dumps(rows).encode(errors="replace")
