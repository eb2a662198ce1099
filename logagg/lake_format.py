"""The names of files, tables and views in a lake, and its versions: one place for all code that uses them."""

from __future__ import annotations

from pathlib import Path

from logagg.errors import LakeError

LINK = "logagg.duckdb"  # in the lake's directory: leads to the newest catalog
VERSION = 2
READABLE = (1, VERSION)  # version 1 has no requests; opening its lake to write makes it one of this version
LOST, UNCOUNTED, DERIVATIONS, EVICTED = "lost_parts", "uncounted", "derivations", "evicted"
# Arguments of the macro `credits`: how the touches before a conversion share it; the first is the default.
MODELS = ("last_non_direct", "last", "first", "linear", "position", "time_decay")
VISITS, VISITS_GAP = "visits", "visits_gap"  # views: of visits, and of the setting by which they are cut
_PLAIN = ("sources", "commits", "rejects", "reject_samples", "files", "lake", "click_state")
ALERTS, ALERTS_STATE = "alerts", "state.json"  # a folder, and the file in it: without it, no alert was ever evaluated
TABLES = (*_PLAIN, LOST, UNCOUNTED, DERIVATIONS, EVICTED)


def refuse_unreadable(version: int | None, where: Path) -> None:
    """Raise LakeError for the version of a lake that this logagg cannot read."""
    if version not in READABLE:
        raise LakeError(f"{where}: a lake of version {version}, this logagg reads {VERSION}", "upgrade logagg")


def materialized(table: str) -> str:
    """Return the name of the view of the rows that a derivation has written to a table, where the table also has live rows."""
    return f"{table}_materialized"


def since_watermark(derivation: str) -> str:
    """Return the name of the view of the requests since the watermark of a derivation."""
    return f"requests_since_{derivation}"
