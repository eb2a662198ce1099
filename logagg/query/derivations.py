"""The progress of derivations, for `logagg status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from logagg.lake_format import VISITS
from logagg.quantities import counted


@dataclass(frozen=True, slots=True)
class DerivationHealth:
    """The state of a derivation: its watermark, and the reason if it has stopped."""

    name: str
    until: datetime | None  # the watermark; None: nothing is materialized yet
    reason: str = ""  # why no more requests are derived; empty: requests are derived
    evicted: Mapping[str, int] | None = None  # by table: rows that were dropped to keep it within its size

    @property
    def text(self) -> str:
        """The state as a sentence."""
        done = (
            f"materialized up to {self.until:%Y-%m-%d %H:%M} UTC"
            if self.until
            else "not materialized yet, derived at each query"
        )
        gone = [f"{counted(rows, 'row')} of {table} evicted" for table, rows in (self.evicted or {}).items()]
        if self.reason:
            return "; ".join([f"no {self.name}: {self.reason}", *([done] if self.until else []), *gone])
        return "; ".join([f"{self.name}: {done}", *gone])

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "until": self.until, "reason": self.reason, "evicted": dict(self.evicted or {})}


def read(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[DerivationHealth, ...], int]:
    """Return the derivations of a lake, and how many requests came too late for them."""
    tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "derivations" not in tables:  # an earlier logagg wrote it
        return (), 0
    [(kept, late)] = connection.execute("SELECT requests_kinds, late FROM lake").fetchall()
    evicted = dict(connection.execute('SELECT rollup, "rows" FROM evicted ORDER BY rollup').fetchall())
    query = "SELECT name, nullif(until, to_timestamp(0)), tables, live <> '' FROM derivations ORDER BY name"
    found = [
        DerivationHealth(name, until, _reason(name, (kept or "").split(), derives=derives), _of(evicted, tables_))
        for name, until, tables_, derives in connection.execute(query).fetchall()
    ]
    return tuple(found), late or 0


def _of(evicted: Mapping[str, int], tables: str) -> dict[str, int]:
    return {table: rows for table, rows in evicted.items() if table in tables.split()}


def _reason(name: str, kinds: Sequence[str], *, derives: bool) -> str:
    if not derives:
        return "they are switched off"
    if not kinds:
        return "requests are not kept"
    return "page views are not kept" if name == VISITS and "pageview" not in kinds else ""
