"""Asks the query of an alert about one moment or many, in the sandbox.

In the query, `$until` stands for the moment and `$since` (also `$window`) for the beginning of the window before it.
Every view with a time ends at the moment, so that the past is asked as it was: a replay sees nothing that came later.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from logagg.alert.rules import Alert
from logagg.alert.states import NO_ROWS, Reading
from logagg.config.sections import Config
from logagg.errors import QueryFailed
from logagg.quantities import counted
from logagg.query.sandbox import QueryLimits, Sandbox
from logagg.quoting import identifier, literal

AT_A_TIME = 1_440  # moments that one query is asked about: a day, at each minute
MOST_ROWS, MOST_AT_A_TIME = 10_000, 30_000  # rows about one moment, and of one answer: this process is a tail
LONGEST = 1_000  # characters of a label
VALUE, MOMENT = "value", "moment of the alert"
# Within quotes and comments, these names are text.
_PLACES = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/)|\$(since|window|until)\b""", re.DOTALL)

_TEXTS = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)

Answers = dict[int, list[Reading]]  # by moment


class Questions:
    """Asks about one lake; `views` are the names of its views that have the column `ts`."""

    def __init__(self, root: Path, views: Iterable[str], config: Config) -> None:
        limits = QueryLimits(config.alerts.timeout, config.alerts.memory, MOST_AT_A_TIME, background=True)
        self._sandbox = Sandbox(root, limits=limits, zone=config.tz or "UTC")
        self._views = tuple(views)

    def ask(self, alert: Alert, moments: Sequence[int]) -> Answers:
        """Return the rows about each of these moments. Raises LogaggError."""
        if len(moments) == 1:
            return self._run(alert, placed(alert, moments[0], self._views), moments)
        answers: Answers = {}
        for at in range(0, len(moments), AT_A_TIME):
            answers |= self._ask_some(alert, moments[at : at + AT_A_TIME])
        return answers

    def _ask_some(self, alert: Alert, moments: Sequence[int]) -> Answers:
        try:
            return self._run(alert, placed_at_many(alert, moments, self._views), moments)
        except QueryFailed:  # some syntax cannot be correlated with the moments, so it is asked about each by itself
            return {moment: self.ask(alert, [moment])[moment] for moment in moments}

    def _run(self, alert: Alert, query: str, moments: Sequence[int]) -> Answers:
        answers: Answers = {moment: [] for moment in moments}
        with self._sandbox.run(query) as answer:
            names = answer.columns
            if alert.least and alert.least.column not in names[1:]:
                raise QueryFailed(
                    f"min: the answer has no column {alert.least.column}", f"it has {', '.join(names[1:])}"
                )
            for row in answer.rows():
                moment = _seconds(row[0])
                readings = answers.get(moment)
                if readings is None:
                    raise QueryFailed(f"alert {alert.name}: the answer is not about the moments that were asked")
                if len(readings) >= MOST_ROWS:
                    raise QueryFailed(
                        f"alert {alert.name}: the answer has more than {counted(MOST_ROWS, 'row')}",
                        "add a condition or LIMIT",
                    )
                readings.append(reading_of(names[1:], row[1:]))
        return answers


def placed(alert: Alert, moment: int, views: Sequence[str]) -> str:
    """Return the query about one moment; its rows begin with the moment."""
    until = _time(moment)
    return f"SELECT {until} AS {identifier(MOMENT)}, answer.* FROM (\n{_query(alert, until, views)}\n) AS answer"


def placed_at_many(alert: Alert, moments: Sequence[int], views: Sequence[str]) -> str:
    """Return the query about many moments, likewise."""
    listed = ", ".join(f"({_time(moment)})" for moment in moments)
    query = _query(alert, "moments.moment", views, before=_time(max(moments)))
    return f"""SELECT moments.moment AS {identifier(MOMENT)}, answer.*
        FROM (VALUES {listed}) AS moments(moment), LATERAL (\n{query}\n) AS answer"""


def _query(alert: Alert, until: str, views: Sequence[str], before: str = "") -> str:
    """Return the alert's query, with a moment in its places and the views that it names ending there."""
    since = f"({until} - INTERVAL '{alert.window} seconds')"
    text = _PLACES.sub(
        lambda found: found[1] or (until if found[2] == "until" else since), alert.query.strip().rstrip(";")
    )
    constant = f" AND ts < {before}" if before else ""  # lets DuckDB skip files
    words = {word.lower() for word in re.findall(r"\w+", _TEXTS.sub(" ", text))}
    named = [view for view in views if view.lower() in words]
    ended = [
        f"{identifier(view)} AS (SELECT * FROM lake.{identifier(view)} WHERE ts < {until}{constant})" for view in named
    ]
    return f"WITH {', '.join(ended)} SELECT * FROM (\n{text}\n) AS asked" if ended else text


def _time(moment: int) -> str:
    return f"TIMESTAMPTZ {literal(datetime.fromtimestamp(moment, UTC).isoformat())}"


def _seconds(value: Any) -> int:
    return round(value.timestamp()) if isinstance(value, datetime) else -1


def reading_of(names: Sequence[str], row: Sequence[Any]) -> Reading:
    """Return a row as labels and numbers. The value is the column `value`, or else the first number."""
    labels, numbers = dict[str, str](), dict[str, float | None]()
    for name, cell in zip(names, row, strict=True):
        if isinstance(cell, str | bool | datetime):
            labels[re.sub(r"\W", "_", name, flags=re.ASCII)] = _label(cell)  # receivers take no other names
        elif isinstance(cell, int | float | Decimal):
            numbers[name] = _finite(cell)
    value = numbers.get(VALUE) if VALUE in names else next(iter(numbers.values()), None)
    if labels == NO_ROWS:
        labels = {}
    return Reading(labels, value, {name: one for name, one in numbers.items() if one is not None})


def _label(cell: str | bool | datetime) -> str:
    text = str(cell).lower() if isinstance(cell, bool) else cell.isoformat() if isinstance(cell, datetime) else cell
    return text.encode("utf-8", "backslashreplace").decode()[:LONGEST]


def _finite(cell: float | Decimal) -> float | None:
    try:
        found = float(cell)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
