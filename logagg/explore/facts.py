"""Facts about a snapshot of a lake: its tables, and since when it keeps requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from logagg.config.rules import KINDS
from logagg.explore.query import Ask

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Facts:
    """One snapshot."""

    commit: int
    committed_at: datetime | None
    requests_from: datetime
    requests_kinds: frozenset[str]  # empty: requests are not kept
    rollups: Mapping[str, Mapping[str, str]]  # by name: the columns, with Arrow's names of their types

    @classmethod
    def of(cls, ask: Ask) -> Facts:
        """Read the facts from the catalog."""
        (commit, committed_at) = ask("SELECT max(id), max(committed_at) FROM commits").rows[0]
        found = ask("FROM lake")
        lake = dict(zip(found.columns, found.rows[0], strict=True))
        tables = json.loads(lake.get("rollups") or "{}")
        return cls(
            commit or 0,
            committed_at,
            lake.get("requests_from") or _EPOCH,
            frozenset((lake.get("requests_kinds") or "").split()),
            {name: dict(columns) for name, columns in tables.items()},
        )

    @property
    def keeps_requests(self) -> bool:
        return bool(self.requests_kinds)

    @property
    def missing_kinds(self) -> tuple[str, ...]:
        """The kinds of events that `requests` does not have."""
        return tuple(kind for kind in KINDS if kind not in self.requests_kinds)
