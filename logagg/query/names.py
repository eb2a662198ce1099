"""The names of the reports, for commands that list them without importing the code that runs them."""

from __future__ import annotations

REPORTS = (
    *("overview", "pages", "ads", "referrers", "channels", "visits", "entries", "exits", "funnel", "agents", "robots"),
    *("countries", "networks", "errors", "latency", "attribution", "sources"),
)
MODELS = ("last_non_direct", "last", "first", "linear", "position", "time_decay")  # for the report `attribution`
