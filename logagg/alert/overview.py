"""All alerts as they are now, for `logagg alert list`, `logagg status`, the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from logagg.alert import store
from logagg.alert.messages import Suppression
from logagg.alert.rules import Alert
from logagg.alert.states import Instance
from logagg.alert.store import AlertRecord, AlertsState
from logagg.alert.text import clean
from logagg.errors import LakeError

LONGEST = 1_000  # characters of a line
UNREAD = "no tail has evaluated it yet; a running one reads logagg.toml at SIGHUP"
STALE = 300.0  # seconds that the data's time may stand still, beyond the window of an alert


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One instance, or an alert without any."""

    alert: str
    state: str  # firing, pending, resolved, ok, no data, failed, not evaluated
    labels: Mapping[str, str]
    since: datetime | None
    value: float | None
    message: str  # or why it failed
    note: str = ""  # silenced, acknowledged
    fingerprint: str = ""

    @property
    def text(self) -> str:
        """One line that says that it fires."""
        note = f" ({self.note})" if self.note else ""
        return clean(f"firing: {self.alert} since {self.since:%Y-%m-%d %H:%M} UTC{note}: {self.message}", LONGEST)

    def as_dict(self) -> dict[str, Any]:
        names = ("alert", "state", "labels", "since", "value", "message", "note", "fingerprint")
        return {name: getattr(self, name) for name in names}


_ORDER = ("firing", "failed", "no data", "pending", "not evaluated", "resolved", "ok")


def rows(root: Path, now: float, alerts: Sequence[Alert] = ()) -> list[AlertRow]:
    """Return the rows, the urgent ones first: of these alerts, and of others that are known. Raises LakeError."""
    state = store.read(root)
    suppression = Suppression(store.silences(root), store.acknowledged(root), now)
    known = {one.name: one for one in alerts}
    found = list[AlertRow]()
    for name in dict.fromkeys((*known, *state.alerts)):
        record = state.alerts.get(name, AlertRecord())
        instances = list(_instances(name, record, suppression, now))
        found += instances
        if not any(one.state in ("firing", "pending") for one in instances):
            found.append(_without(name, record, _is_stale(known.get(name), state, now)))
    return sorted(found, key=lambda one: _ORDER.index(one.state))


def firing(root: Path, now: float) -> list[AlertRow]:
    """Return the rows of the instances that fire; none if the states cannot be read, which `rows` reports."""
    try:
        return [one for one in rows(root, now) if one.state == "firing"]
    except LakeError:
        return []


def _instances(name: str, record: AlertRecord, suppression: Suppression, now: float) -> Iterator[AlertRow]:
    for key, one in record.instances.items():
        notes = ["silenced"] if suppression.is_silenced(name, one, int(now)) else []
        notes += ["acknowledged"] if (key, one.fired) in suppression.acknowledged else []
        yield AlertRow(name, one.state, one.labels, _since(one), one.value, one.message, ", ".join(notes), key)


def _since(one: Instance) -> datetime:
    return _time({"firing": one.fired, "resolved": one.ended}.get(one.state, one.since))


def _without(name: str, record: AlertRecord, stale: bool) -> AlertRow:
    """Return the row of an alert of which nothing fires."""
    if not record.evaluated:
        return AlertRow(name, "not evaluated", {}, None, None, UNREAD)
    state = "failed" if record.error else "no data" if stale or not record.has_data else "ok"
    return AlertRow(name, state, {}, _time(record.evaluated), None, record.error)


def _is_stale(alert: Alert | None, state: AlertsState, now: float) -> bool:
    """Tell whether the data's time stands still: then a state may be out of date."""
    window = alert.window if alert else 0
    return not (alert and alert.probe) and now - state.until > max(window, STALE)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
