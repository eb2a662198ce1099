"""The state machine of an alert: pure functions of the state before, an answer, and the data's time.

    (nothing) ──breach──▶ pending ──for──▶ firing ──calm for `keep`──▶ resolved ──▶ (nothing)
                             └──calm──▶ (nothing)

Each row of an answer is one instance, known by its labels: the text columns of the row. So the states after any number of
rounds depend on the answers alone, not on when the rounds ran or where one was cut off.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from logagg.alert.rules import Alert
from logagg.alert.text import clean, rendered

InstanceState = Literal["pending", "firing", "resolved"]
MOST, MOST_RESOLVED = 1_000, 100  # instances of an alert: clients choose labels such as paths
REMEMBERED = 86_400  # seconds that a resolved instance is listed


@dataclass(frozen=True, slots=True)
class Reading:
    """One row of an answer: its labels, the value that is judged, and its other numbers."""

    labels: Mapping[str, str]
    value: float | None
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instance:
    """One thing that an alert watches. Times are seconds since the epoch, by the data; 0: not yet."""

    labels: Mapping[str, str]
    state: InstanceState
    since: int  # the first breach of this episode
    fired: int = 0
    calm: int = 0  # firing, but over since then
    ended: int = 0
    value: float | None = None
    message: str = ""  # by its last row
    told: Mapping[str, int] = field(default_factory=dict)  # by receiver: when it was last said that it fires


Instances = Mapping[str, Instance]  # by fingerprint
NO_ROWS: Mapping[str, str] = {"no_data": "yes"}  # the labels of the instance that an answer without rows is


def fingerprint(alert: str, labels: Mapping[str, str]) -> str:
    """Return the id of an instance."""
    text = json.dumps([alert, sorted(labels.items())])
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def advanced(alert: Alert, before: Instances, answer: Sequence[Reading], moment: int) -> dict[str, Instance]:
    """Return the instances after an answer at a moment."""
    rows = _by_instance(alert, answer)
    after = dict[str, Instance]()
    for key, instance in before.items():
        row = rows.pop(key, None)
        verdict = _verdict(alert, instance, row, any_rows=bool(answer))
        if found := _next(alert, _seen(alert, instance, row), verdict, moment):
            after[key] = found
    room = MOST - sum(one.state != "resolved" for one in after.values())
    for key, row in rows.items():
        if room > 0 and breaches(alert, row, firing=False):
            begun = _seen(alert, Instance(row.labels, "pending", moment), row)
            after[key] = _next(alert, begun, True, moment) or begun
            room -= 1
    return _without_oldest(after, moment)


def _by_instance(alert: Alert, answer: Sequence[Reading]) -> dict[str, Reading]:
    """Return the rows by instance, the worst first: of rows with the same labels it counts, and if there are too many it is watched."""
    rows = answer if answer or alert.no_data != "alert" else [Reading(NO_ROWS, None)]
    sign = 1.0 if alert.below is not None and alert.above is None else -1.0
    named = [(fingerprint(alert.name, one.labels), one) for one in rows]
    named.sort(key=lambda one: (one[1].value is None, sign * (one[1].value or 0.0), one[0]))
    found = dict[str, Reading]()
    for key, row in named:
        found.setdefault(key, row)
    return found


def _without_oldest(instances: dict[str, Instance], moment: int) -> dict[str, Instance]:
    """Return the instances with a few of those that are resolved; those that are so from this moment on are to be told."""
    resolved = [key for key, one in instances.items() if one.state == "resolved" and one.ended < moment]
    resolved.sort(key=lambda key: instances[key].ended)
    gone = {*resolved[: max(0, len(resolved) - MOST_RESOLVED)]}
    return {key: one for key, one in instances.items() if key not in gone}


def has_changed(before: Instance | None, now: Instance) -> bool:
    """Tell whether an instance has begun to fire, or is resolved since then."""
    return now.state != "pending" and (before is None or (before.state, before.fired) != (now.state, now.fired))


def written_labels(labels: Mapping[str, str]) -> str:
    """Return labels in one line."""
    return ", ".join(f"{name}={clean(value)}" for name, value in labels.items())


def breaches(alert: Alert, row: Reading, *, firing: bool) -> bool | None:
    """Return whether a row is over the limit, or not back yet if it fires; None if it is not judged."""
    if row.labels == NO_ROWS:
        return True
    if alert.least and row.numbers.get(alert.least.column, -math.inf) < alert.least.number:
        return None
    if alert.above is None and alert.below is None:
        return True  # the query itself selects the bad rows
    if row.value is None:
        return None
    clear = alert.clear if firing and alert.clear is not None else None
    is_above = alert.above is not None and row.value > (alert.above if clear is None else clear)
    is_below = alert.below is not None and row.value < (alert.below if clear is None else clear)
    return is_above or is_below


def _verdict(alert: Alert, instance: Instance, row: Reading | None, *, any_rows: bool) -> bool | None:
    """Return whether an instance is over the limit; None if it stays as it is."""
    found = None if row is None else breaches(alert, row, firing=instance.state == "firing")
    if found is not None:
        return found
    stays = alert.no_data == "keep" or (alert.no_data == "alert" and not any_rows)
    return None if stays and instance.state != "resolved" else False


def _seen(alert: Alert, instance: Instance, row: Reading | None) -> Instance:
    """Return an instance with the value and the message of its newest row."""
    if row is None:
        return instance
    values = {**row.numbers, **row.labels, "alert": alert.name, "severity": alert.severity, "value": row.value}
    message = "no data" if row.labels == NO_ROWS else rendered(alert.message, values)
    return replace(instance, value=row.value, message=message)


def _next(alert: Alert, one: Instance, verdict: bool | None, moment: int) -> Instance | None:
    """Return an instance after a verdict; None if there is nothing to remember."""
    if verdict is None:
        return one
    if one.state == "resolved":
        return _after_resolved(alert, one, verdict, moment)
    if one.state == "pending":
        if not verdict:
            return None
        return replace(one, state="firing", fired=moment) if moment - one.since >= alert.hold else one
    if verdict:
        return replace(one, calm=0)
    calm = one.calm or moment
    if moment - calm >= alert.keep:
        return replace(one, state="resolved", calm=calm, ended=moment)
    return replace(one, calm=calm)


def _after_resolved(alert: Alert, one: Instance, verdict: bool, moment: int) -> Instance | None:
    if verdict:
        again = Instance(one.labels, "pending", moment, value=one.value, message=one.message)
        return _next(alert, again, True, moment)
    return one if moment - one.ended < REMEMBERED else None
