"""The public names and their signatures: a change of either needs a line in CHANGELOG.md."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import logagg
from logagg import errors

NAMES = [
    "Answer",
    "CommitFailed",
    "ConfigError",
    "FormatError",
    "LakeError",
    "LakeLocked",
    "LogaggError",
    "OpenLake",
    "Snapshot",
    "SourceError",
    "__version__",
    "connect",
    "open",
]
SIGNATURES: dict[str, tuple[Callable[..., Any], str]] = {
    "open": (
        logagg.open,
        "(root: str | os.PathLike[str] = 'lake', clock: Clock | None = None, tz: str = 'UTC') -> OpenLake",
    ),
    "connect": (
        logagg.connect,
        "(root: str | os.PathLike[str] = 'lake', tz: str = 'UTC') -> duckdb.DuckDBPyConnection",
    ),
    "OpenLake.sql": (
        logagg.OpenLake.sql,
        "(self, query: str, params: Parameters | None = None) -> Answer | None",
    ),
    "OpenLake.report": (
        logagg.OpenLake.report,
        "(self, name: str, since: When | None = None, until: When | None = None, *, limit: int | None = None, "
        "site: str | None = None, bots: Bots = 'include', steps: Sequence[str] = (), model: str | None = None) -> pd.DataFrame",
    ),
    "OpenLake.lines": (
        logagg.OpenLake.lines,
        "(self, where: str = '', since: When | None = None, until: When | None = None, *, limit: int = 20, "
        "paths: Sequence[str | os.PathLike[str]] = ()) -> pd.DataFrame",
    ),
    "OpenLake.status": (logagg.OpenLake.status, "(self, max_age: float | None = None) -> Status"),
    "OpenLake.snapshot": (logagg.OpenLake.snapshot, "(self) -> Snapshot"),
    "OpenLake.watch": (logagg.OpenLake.watch, "(self, every: float = 0.2) -> Iterator[Snapshot]"),
    "OpenLake.close": (logagg.OpenLake.close, "(self) -> None"),
    "Snapshot.sql": (
        logagg.Snapshot.sql,
        "(self, query: str, params: Parameters | None = None) -> Answer | None",
    ),
    "Snapshot.report": (
        logagg.Snapshot.report,
        "(self, name: str, since: When | None = None, until: When | None = None, *, limit: int | None = None, "
        "site: str | None = None, bots: Bots = 'include', steps: Sequence[str] = (), model: str | None = None) -> pd.DataFrame",
    ),
    "Snapshot.close": (logagg.Snapshot.close, "(self) -> None"),
    "Answer.df": (logagg.Answer.df, "(self) -> pd.DataFrame"),
    "Answer.arrow": (logagg.Answer.arrow, "(self) -> pa.Table"),
}


def test_public_names() -> None:
    assert sorted(logagg.__all__) == NAMES
    assert all(getattr(logagg, name) is not None for name in NAMES)


def test_completion_shows_the_public_names_before_anything_heavy_is_imported() -> None:
    ask = "import sys, logagg; print(*dir(logagg)); print('duckdb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    names, heavy = done.stdout.splitlines()
    assert (sorted(names.split()), heavy) == (NAMES, "False")


def test_every_public_method_is_pinned() -> None:
    kinds = (logagg.Answer, logagg.OpenLake, logagg.Snapshot)
    names = {f"{kind.__name__}.{name}" for kind in kinds for name, _ in inspect.getmembers(kind, inspect.isfunction)}
    assert {name for name in names if "._" not in name} == {name for name in SIGNATURES if "." in name}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    function, expected = SIGNATURES[name]
    assert re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(function))) == expected


def test_types_come_with_the_package() -> None:
    package = Path(logagg.__file__).parent
    assert (package / "py.typed").exists()


def test_every_error_that_users_see_is_in_one_tree() -> None:
    for error in vars(errors).values():
        assert not inspect.isclass(error) or issubclass(error, errors.LogaggError), error


def test_the_documented_tree_of_errors_is_correct() -> None:
    drawn = errors.__doc__
    assert drawn is not None
    for name, error in vars(errors).items():
        if inspect.isclass(error):
            [line] = [
                line for line in drawn.splitlines() if f"─ {name} " in line or line.strip().startswith(f"{name}  ")
            ]
            assert line.find(name) == 4 * len(error.__mro__) - 12, line
