"""The texts that dialogs show: help, SQL, how a number was counted, the state of the tails, the line of a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from logagg.explore import figures
from logagg.notice_log import printable
from logagg.quantities import counted
from logagg.query.shorten import padded
from logagg.top.dialogs import FRAME, WIDEST, Dialog, wrapped
from logagg.top.keys import MOUSE, listed
from logagg.top.notes import notes_of, sentence, words_in
from logagg.top.requests import fields
from logagg.top.spans import EMPTY, Line, Span, cells, filled, text_of
from logagg.top.state import REQUESTS, TOTALS, State

LONGEST_LINE = 20_000  # characters of a log line that are shown
LOGS = 12  # logs in the list of the tails' state, at most
_WIDE = 110  # on a screen with so many cells, the help has two columns
_GROUPS = (("Window", "Rows"), ("Page", "Panels"))


def help_of(width: int) -> Dialog:
    """Return the help: all keys, and the actions of the mouse."""
    left, right = ([line for group in groups for line in _group(group)] for groups in _GROUPS)
    if width < _WIDE:
        lines = [*left, *right]
    else:
        longest = max(map(cells, left))
        rows = max(len(left), len(right))
        padding = [EMPTY] * rows
        pairs = zip([*left, *padding][:rows], [*right, *padding][:rows], strict=True)
        lines = [(*filled(one, longest), Span("   "), *other) for one, other in pairs]
    lines += [(Span("Mouse", "title"),), *((Span(f"{what}: ", "key"), Span(does)) for what, does in MOUSE)]
    return Dialog("Help", lines)


def _group(group: str) -> Iterator[Line]:
    keys = [one for one in listed() if one.group == group]
    longest = max(len(one.names) for one in keys)
    yield (Span(group, "title"),)
    yield from ((Span(padded(one.names, longest + 2), "key"), Span(one.text)) for one in keys)
    yield EMPTY


def sql_of(state: State) -> Dialog:
    """Return the SQL of the table that has the keys."""
    answer = state.answer(state.table)
    title = "Requests" if state.table == REQUESTS else state.panel.title if state.panel else ""
    if not answer or not answer["sql"]:
        return Dialog(title, [(Span(sentence(answer["unavailable"]) if answer else "…"),)])
    return Dialog(f"{title}: y copies it", list(_code(answer["sql"], state.width)), copied=answer["sql"])


def total_of(state: State, name: str) -> Dialog | None:
    """Return the explanation of a number at the top: its definition, and its SQL."""
    totals = state.answer(TOTALS)
    if not totals or not state.scope:
        return None
    zone, sql = state.zone, totals["sql"].get(name, "")
    periods = [(state.scope.period, totals["now"])]
    if state.scope.before and totals["before"]:
        periods.append((state.scope.before, totals["before"]))
    lines: list[Line] = []
    for period, values in periods:
        when = figures.period(period.since, period.until, zone)
        lines.append((Span(f"{when}: "), Span(figures.exact_measure(name, values.get(name)), "number")))
    note = totals["notes"].get(name)
    said = sentence(note) if note else " ".join(notes_of({**totals, "note": ""}, zone))
    lines += words_in(said, _inside(state.width), "note") if said else []
    return Dialog(figures.shown(name).title, [*lines, EMPTY, *_code(sql, state.width)], copied=sql)


def _code(sql: str, width: int) -> Iterator[Line]:
    for line in sql.splitlines():
        yield from wrapped(printable(line), _inside(width)) if line else [EMPTY]


def _inside(width: int) -> int:
    return max(10, min(WIDEST, width - FRAME))


def status_of(state: State) -> Dialog:
    """Return the problems, the state of each tail, and the logs with most problems."""
    status = state.status
    if status is None:
        return Dialog("State", [(Span("…"),)])
    reasons = [state.failure] if state.failure else status["reasons"]
    said = {"good": "All is well.", "warn": "Something needs a look.", "bad": "Something is wrong."}
    lines: list[Line] = [(Span(said["bad" if state.failure else status["state"]], "title"),)]
    for reason in reasons:
        lines += words_in(sentence(reason), _inside(state.width))
    lines.append(EMPTY)
    lines += [(Span(_tail(one)),) for one in status["tails"]] or [(Span("No tail is running."),)]
    worst = sorted(status["sources"], key=lambda one: (not one["problem"], -(one["lag"] or 0), -(one["rejects"] or 0)))
    lines += [line for one in worst[:LOGS] for line in _log(one, state.width)]
    return Dialog("State", lines)


def alerts_of(state: State) -> Dialog:
    """Return the alerts: the firing ones with their messages, then the state of the others."""
    lines: list[Line] = []
    for one in state.alerts:
        style = {"firing": "worse", "failed": "worse", "pending": "note"}.get(one["state"], "")
        labels = ", ".join(f"{name}={value}" for name, value in one["labels"].items())
        since = f"since {figures.date_time(one['since'], state.zone, year=True)}" if one["since"] else ""
        head = " ".join(filter(None, (one["alert"], f"({labels})" if labels else "", since)))
        note = f", {one['note']}" if one["note"] else ""
        lines += wrapped(text_of(f"{one['state']}{note}: {head}"), _inside(state.width), style)
        lines += (
            [(Span("  "), *line) for line in wrapped(text_of(one["message"]), _inside(state.width) - 2)]
            if one["message"]
            else []
        )
    return Dialog("Alerts", lines or [(Span("No alert has been evaluated: logagg.toml has none, or no tail runs."),)])


def _tail(tail: Mapping[str, Any]) -> str:
    behind, unread = figures.age(tail["lag_seconds"]), figures.size(tail["lag_bytes"])
    return f"tail {text_of(tail['name']) if tail['name'] else ''} {tail['state']}: {unread} unread, {behind} behind".replace(
        "  ", " "
    )


def _log(source: Mapping[str, Any], width: int) -> Iterator[Line]:
    text = (
        f"{text_of(source['path'])}: {figures.size(source['lag'])} unread, {figures.exact(source['rejects'])} rejected"
    )
    yield from wrapped(text, _inside(width))
    if source["problem"]:
        yield from wrapped(sentence(source["problem"]), _inside(width), "worse")


def line_of(row: Mapping[str, Any], found: Mapping[str, Any] | None, width: int, zone: ZoneInfo) -> Dialog:
    """Return a request with its log line, or the reason why the line is missing; `found` is None during the search."""
    lines: list[Line] = []
    if found is None:
        lines.append((Span("The line is looked for …", "dim"),))
    elif found["line"] is None:
        lines += wrapped(
            sentence(f"The line is not shown: {found['reason'] or 'it is not there'}"), _inside(width), "note"
        )
    else:
        where = f"{text_of(found['file'])}, at byte {figures.exact(row['position'])}"
        lines += [*wrapped(where, _inside(width), "dim"), *wrapped(_cut(found["line"]), _inside(width))]
    lines += [EMPTY, *_fields(fields(row, zone), _inside(width))]
    return Dialog("Request", lines)


def _cut(line: str) -> str:
    """Return a log line as text; of a very long line, only its beginning."""
    left = len(line) - LONGEST_LINE
    return printable(line[:LONGEST_LINE]) + (f" … and {counted(left, 'character')}" if left > 0 else "")


def _fields(values: Sequence[tuple[str, str]], width: int) -> Iterator[Line]:
    longest = max((len(name) for name, _ in values), default=0)
    for name, value in values:
        for number, line in enumerate(wrapped(value, max(4, width - longest - 2))):
            yield (Span(f"{'' if number else name:<{longest + 2}}", "dim"), *line)
