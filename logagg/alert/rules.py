"""The built-in rules, and what an `[[alert]]` means with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from logagg.config.alerts import MINUTE, RULES, AlertConfig, Least
from logagg.config.sections import Config

WINDOW, EVERY = 5 * MINUTE, MINUTE
PROBES = ("rejects", "lag", "disk")  # rules about the lake and its tails as they are now, not about counts


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, with every default filled in. Seconds."""

    name: str
    query: str = ""  # empty: a probe
    probe: str = ""
    window: int = WINDOW
    every: int = EVERY
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    least: Least | None = None
    hold: int = 0
    keep: int = 0
    no_data: str = "ok"
    severity: str = "warning"
    message: str = "{alert}: {value}"
    to: tuple[str, ...] = ()  # receivers


# By rule: its differences from the defaults above. At its limit an operator would want to know.
DEFAULTS: dict[str, dict[str, Any]] = {
    "errors": {
        "above": 0.05, "clear": 0.02, "least": Least("n", 50), "hold": 2 * MINUTE, "keep": 5 * MINUTE, "severity": "critical",
        "message": "{site}: {value:.1%} of {n:,} requests fail",
    },
    "slow": {
        "above": 1.0, "clear": 0.8, "least": Least("n", 50), "hold": 5 * MINUTE, "keep": 5 * MINUTE,
        "message": "{site}: one in twenty of {n:,} requests takes longer than {value:.2f} s",
    },
    "not_found": {
        "window": 15 * MINUTE, "above": 0.3, "clear": 0.2, "least": Least("n", 100), "keep": 15 * MINUTE,
        "message": "{site}: {value:.1%} of {n:,} requests are for missing pages",
    },
    "bots": {
        "window": 15 * MINUTE, "above": 0.8, "clear": 0.6, "least": Least("n", 200), "keep": 15 * MINUTE,
        "message": "{site}: {value:.1%} of {n:,} requests are by robots",
    },
    "surge": {
        "window": 15 * MINUTE, "every": 5 * MINUTE, "above": 6.0, "clear": 3.0, "least": Least("n", 100), "keep": 15 * MINUTE,
        "message": "{site}: {n:,} requests, where {usual:,.0f} are usual at this time of the week",
    },
    "no_traffic": {
        "window": 15 * MINUTE, "every": 5 * MINUTE, "below": 0.1, "clear": 0.3, "least": Least("n", 10), "severity": "critical",
        "message": "{site}: {value:.1%} of the {usual:,.0f} requests that are usual at this time of the week",
    },
    "rejects": {
        "window": 15 * MINUTE, "above": 0.1, "clear": 0.05, "least": Least("n", 50),
        "message": "{log}: {value:.1%} of {n:,} lines are not understood",
    },
    "lag": {
        "above": 120.0, "clear": 60.0, "hold": MINUTE, "severity": "critical",
        "message": "{tail}: lines of the last {value:,.0f} s are not counted",
    },
    "disk": {
        "above": 0.9, "clear": 0.85, "every": 5 * MINUTE, "severity": "critical",
        "message": "the disk of the lake is {value:.1%} full, {free:,.0f} MB are free",
    },
}  # fmt: skip


def sql_of(rule: str) -> str:
    """Return the query of a built-in rule; empty for a probe."""
    if rule in PROBES:
        return ""
    folder = files("logagg.alert").joinpath("sql")
    return folder.joinpath(f"{rule}.sql").read_text().replace("{usual}\n", folder.joinpath("usual.sql").read_text())


def resolved(written: AlertConfig, receivers: tuple[str, ...]) -> Alert:
    """Return an alert with the defaults of its rule, or those of queries."""
    rule = "" if written.query else written.rule or written.name
    changes = dict(DEFAULTS.get(rule, {}))
    given = {name: value for name in _FIELDS if (value := getattr(written, name)) is not None}
    if given.keys() & {
        "above",
        "below",
    }:  # another limit than that of the rule, so its way back is not that of the rule
        changes = {name: value for name, value in changes.items() if name not in ("above", "below", "clear")}
    made = Alert(
        written.name, written.query or sql_of(rule), rule if rule in PROBES else "", to=written.to or receivers
    )
    return _consistent(replace(made, **{**changes, **given}))


def _consistent(alert: Alert) -> Alert:
    """Return an alert whose way back does not lie beyond its limit, where only one of them is that of the rule."""
    clear = alert.clear
    if clear is not None and alert.above is not None:
        clear = min(clear, alert.above)
    elif clear is not None and alert.below is not None:
        clear = max(clear, alert.below)
    return replace(alert, clear=clear)


_FIELDS = ("window", "every", "above", "below", "clear", "least", "hold", "keep", "no_data", "severity", "message")


def alerts_of(config: Config) -> tuple[Alert, ...]:
    """Return the alerts of a configuration."""
    receivers = tuple(one.name for one in config.receivers)
    return tuple(resolved(one, receivers) for one in config.watched)


def alert_named(name: str, config: Config) -> Alert | None:
    """Return an alert of a configuration, or else the built-in rule of this name."""
    known = {one.name: one for one in alerts_of(config)}
    if name in known or name not in RULES:
        return known.get(name)
    return resolved(AlertConfig(name), tuple(one.name for one in config.receivers))
