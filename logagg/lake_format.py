"""Where the catalog of a lake lies, and which version and tables it has: known to all that write, read or name them."""

from __future__ import annotations

LINK = "logagg.duckdb"  # in the lake's directory: leads to the newest catalog
VERSION = 1
LOST = "lost_parts"
TABLES = ("sources", "commits", "rejects", "reject_samples", "files", "lake", "click_state", LOST)
