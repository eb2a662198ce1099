"""The names of the reports, for commands that list them without importing the code that runs them; the check of names."""

from __future__ import annotations

from collections.abc import Collection

from logagg.errors import LogaggError

REPORTS = (
    *("overview", "pages", "ads", "referrers", "channels", "visits", "entries", "exits", "funnel", "agents", "robots"),
    *("countries", "networks", "errors", "latency", "attribution", "sources"),
)


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise LogaggError for the value of a parameter that is none of its choices."""
    if value not in choices:
        raise LogaggError(f"{name}: {value[:100]!r} is not valid", f"write one of {', '.join(choices)}")
