"""Heartbeats as text: every written one can be read, anything else is refused, and the size of a sent one is bounded."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.heartbeat import LARGEST, FollowedLog, Heartbeat, LogProblem, decode, encode, encode_short
from logagg.query.tails import of_remote, too_old, waiting
from logagg.query.tails import problems as problems_of

BEAT = Heartbeat(
    "web1",
    "host",
    7,
    12,
    1.0,
    2.5,
    paths=("/a", "*.log"),
    logs=(FollowedLog("s", "/a", 1, 2),),
    waiting=(LogProblem("/b", "no such file", 1.5),),
    unparsed=(LogProblem("/a", "99 of its last 100 lines are rejects", 1.5, "s", 100, 99),),
)

problems = st.builds(
    LogProblem, st.text(), st.text(), st.floats(0, 1e12), st.text(), st.integers(0, 100), st.integers(0, 100)
)
beats = st.builds(
    Heartbeat,
    st.text(),
    st.text(),
    st.integers(0, 1 << 40),
    st.integers(0, 1 << 62),
    st.floats(0, 1e12),
    st.floats(0, 1e12),
    once=st.booleans(),
    unread=st.integers(0, 1 << 62),
    paths=st.lists(st.text()).map(tuple),
    unreadable=st.lists(problems).map(tuple),
)


@given(beats)
def test_a_written_heartbeat_is_read_unchanged(beat: Heartbeat) -> None:
    assert decode(encode(beat)) == beat


def test_a_name_that_is_not_unicode_survives() -> None:
    beat = replace(BEAT, paths=("/logs/caf\udce9.log",))
    assert decode(encode(beat).encode()) == beat


def test_unknown_fields_are_ignored_and_missing_ones_have_defaults() -> None:
    found = json.loads(encode(BEAT)) | {"mood": "good"}
    del found["unread"]
    assert decode(json.dumps(found)) == BEAT


@pytest.mark.parametrize(
    "change",
    [
        {"pid": "7"},
        {"pid": True},
        {"at": None},
        {"paths": "x"},
        {"paths": [1]},
        {"logs": [3]},
        {"waiting": [{"path": "/b"}]},
        {"once": 1},
        {"at": 10**400},
    ],
)
def test_values_of_another_type_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a heartbeat"):
        decode(json.dumps(json.loads(encode(BEAT)) | change))


def test_absurd_numbers_are_shown_and_break_nothing() -> None:
    odd = json.loads(encode(BEAT)) | {"at": 1e308, "behind": float("nan"), "stalled": float("inf"), "unread": 10**100}
    tail = of_remote(decode(json.dumps(odd)), 5.0)
    assert [*problems_of(tail), *waiting(tail), *too_old([tail], 1.0)]


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", "null", "{", b"\xff", "[" * 100_000])
def test_text_that_is_not_a_heartbeat_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # by the JSON parser, or by logagg
        decode(text)


@pytest.mark.parametrize("length", [1, 50, 5000])
@pytest.mark.parametrize("count", [0, 10, 10_000])
def test_a_sent_heartbeat_is_bounded_and_counts_the_omitted_logs(count: int, length: int) -> None:
    many = tuple(LogProblem("é" * length + str(number), "x", 0.0) for number in range(count))
    text = encode_short(replace(BEAT, unreadable=many))
    short = decode(text)
    assert len(text) <= LARGEST and short.logs == ()
    assert short.omitted == count - len(short.unreadable) + len(BEAT.unparsed) - len(short.unparsed)
    assert count < 100 or 0 < short.omitted


def test_many_paths_fit() -> None:
    assert decode(encode_short(replace(BEAT, paths=("x" * 50,) * 10_000))).omitted == 0
