"""The lines above and below the picture: lake, window, filters and light above, the help on keys below."""

from __future__ import annotations

from collections.abc import Sequence

from logagg.explore import figures
from logagg.explore.view import Pill
from logagg.explore.windows import preset_of
from logagg.query.shorten import shorten
from logagg.query.shorten import width as width_of
from logagg.top.keys import HINTS, HINTS_OF_REQUESTS, name_of
from logagg.top.spans import EMPTY, Hit, Line, Picture, Span, between, cells, clipped, filled, text_of
from logagg.top.state import State

LIGHTS = {"good": "Live", "warn": "Behind", "bad": "Trouble"}
COMPARED = {"previous": "vs. the window before", "week": "vs. a week ago", "year": "vs. a year ago"}
PEOPLE = {"include": "", "exclude": "people", "only": "robots"}
LONGEST_PILL = 40  # cells of a filter's value


def drawn(state: State) -> Picture:
    """Return the head: one line; a second one for filters, and a third one for trouble, if there are any."""
    lines, hits = [_first(state)], [*_hits_of_light(state), Hit(0, 0, state.width, "window")]
    if state.view.pills or state.view.where:
        line, found = _pills(state)
        hits += (hit.moved(len(lines), 0) for hit in found)
        lines.append(line)
    if state.trouble:
        hits.append(Hit(len(lines), 0, state.width, "trouble"))
        lines.append(clipped((Span(f"! {text_of(state.trouble)}", "worse"),), state.width))
    return Picture(lines[: state.lines_of_head], [hit for hit in hits if hit.line < state.lines_of_head])


def _first(state: State) -> Line:
    light = _light(state)
    name = (Span(f"{shorten(text_of(state.name), 20)} ", "title"),)
    room = state.width - cells(light) - cells(name) - 1
    left: Line = EMPTY
    for pieces in _pieces(state):  # from the longest to the shortest
        left = pieces
        if cells(pieces) <= room:
            break
    return between((*name, *left), light, state.width)


def _pieces(state: State) -> Sequence[Line]:
    """Return the texts of the head, each shorter than the one before."""
    preset, period = preset_of(state.view.window), state.shown_period
    times = figures.period(period.since, period.until, state.zone)
    title = preset.title if preset else times
    compared, people = COMPARED.get(state.view.compare, ""), PEOPLE[state.view.bots]
    zone = state.view.zone
    long = [f"{title} ({times})" if preset else title, zone, compared, people]
    return [
        _said(one)
        for one in (long, [title, zone, compared, people], [title, compared, people], [title, people], [title])
    ]


def _said(words: Sequence[str]) -> Line:
    return (Span(" · ".join(word for word in words if word)),)


def _hits_of_light(state: State) -> list[Hit]:
    """Return the area where a click shows the alerts: the number of firing ones."""
    light = _light(state)
    start = state.width - cells(light)
    return [Hit(0, start, start + cells(light[:1]), "alerts")] if _firing(state) else []


def _firing(state: State) -> Line:
    return (Span(f"▲ {state.firing:,} firing ", "worse"),) if state.firing and not state.printed else EMPTY


def _light(state: State) -> Line:
    return (*_firing(state), *_age_and_light(state))


def _age_and_light(state: State) -> Line:
    if state.printed:
        newest = state.lake.newest if state.lake else None
        return (Span(f"data until {figures.date_time(newest, state.zone, year=True)}", "dim"),) if newest else EMPTY
    age = figures.age(state.lake.age(state.clock()) if state.lake else None)
    if state.paused:
        return (Span("‖ Paused ", "note"), Span(age, "dim"))
    light = "bad" if state.failure else state.status["state"] if state.status else ""
    return (Span("● ", f"light_{light}"), Span(f"{LIGHTS.get(light, '')} ".lstrip()), Span(age, "dim"))


def _pills(state: State) -> tuple[Line, list[Hit]]:
    spans: list[Span] = []
    hits, start = [], 0
    if state.view.where:
        spans.append(Span(f" {shorten(text_of(state.view.where), max(LONGEST_PILL, state.width // 2))} ", "pill"))
        start = cells(spans)
    for pill in state.view.pills:
        text = pill_text(pill)
        spans += [Span(" " if spans else ""), Span(f" {text} ", "pill"), Span("× ", "pill")]
        start += len(spans[-3].text)
        end = start + width_of(text) + 2
        hits += [Hit(0, start, end, "flip", pill), Hit(0, end, end + 2, "remove", pill)]
        start = end + 2
    return clipped(spans, state.width), hits


def pill_text(pill: Pill) -> str:
    value = shorten(text_of(pill.value), LONGEST_PILL) if pill.value else "none"
    return f"{figures.dimension_title(pill.dimension)} {'≠' if pill.excluded else '='} {value}"


def last(state: State) -> Line:
    """Return the last line: the user's input, a message, or the help on keys."""
    if state.prompt:
        return filled(state.prompt.drawn(state.width), state.width)
    if state.message:
        return filled((Span(text_of(state.message), "note"),), state.width)
    line: list[Span] = []
    for key, does in HINTS_OF_REQUESTS if state.mode == "requests" else HINTS:
        spans = [Span(f"{name_of(key)} ", "key"), Span(f"{does}  ", "dim")]
        if cells(line) + cells(spans) - 2 > state.width:
            break
        line += spans
    return filled(line[:-1] + [Span(does_.rstrip(), style) for does_, style in line[-1:]], state.width)
