"""Formats prove themselves: each kind of the combined family is read with its fields, in any cut, whatever clients write into it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.any_family import KINDS, Kind, read, said


def log(kind: Kind, seed: int, lines: int) -> tuple[list[bytes], list[dict[str, object]]]:
    draw = random.Random(seed)
    made = [kind.line(draw) for _ in range(lines)]
    return [line for line, _ in made], [what for _, what in made]


def joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_each_kind_is_read(kind: Kind) -> None:
    lines, expected = log(kind, 1, 30)
    rows, rejects, _ = read(joined(lines))
    assert rejects == 0
    assert [said(row, list(what)) for row, what in zip(rows, expected, strict=True)] == expected


@given(st.sampled_from(KINDS), st.integers(0, 1000), st.integers(1, 12), st.lists(st.integers(0, 2000), max_size=5))
def test_a_log_says_the_same_in_any_cut(kind: Kind, seed: int, lines: int, cuts: list[int]) -> None:
    data = joined(log(kind, seed, lines)[0])
    assert read(data, cuts)[:2] == read(data)[:2]


# Which of two times is the upstream's, the lines of one format tell together.
OWN_SHAPES = [kind for kind in KINDS if kind.behind != "both times, the other way round"]


@given(
    st.lists(st.sampled_from(OWN_SHAPES), min_size=2, max_size=3),
    st.integers(0, 1000),
    st.lists(st.integers(0, 9000), max_size=5),
)
def test_a_format_may_change_in_mid_file(kinds: list[Kind], seed: int, cuts: list[int]) -> None:
    logs = [log(kind, seed + number, 8) for number, kind in enumerate(kinds)]
    rows, rejects, _ = read(joined([line for lines, _ in logs for line in lines]), cuts)
    expected = [what for _, whats in logs for what in whats]
    assert rejects == 0
    assert [said(row, list(what)) for row, what in zip(rows, expected, strict=True)] == expected


USERS = [
    "Jane Doe",
    "a - - b",
    "198.51.100.9 -",
    "198.51.100.9 - -",
    "www.example.org 1.2.3.4 - -",
    "x [27/Nov/2026",
    '""',
    "[x]",
    "- -",
]
SENT = [
    "HIT",
    "0.005",
    "www.evil.example",
    "DE",
    "1.2.3.4:80",
    "unknown",
    "-",
    "x y",
    "\\x22",
    "https",
    "TLSv1.3",
    "1.2.3.4, 5.6.7.8",
]


@given(
    st.sampled_from(KINDS),
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from(USERS), st.sampled_from(SENT)), min_size=1, max_size=8),
    st.lists(st.integers(0, 4000), max_size=4),
)
def test_a_stranger_changes_his_own_lines_only(
    kind: Kind, seed: int, odd: list[tuple[int, str, str]], cuts: list[int]
) -> None:
    """Also when his are the first lines that a tail sees."""
    lines, expected = log(kind, seed, 8)
    draw = random.Random(seed)
    made = [(line, what) for line, what in zip(lines, expected, strict=True)]
    theirs = [
        (place, kind.line(draw, "192.0.2.66", user=user, forwarded=sent, agent=sent)[0]) for place, user, sent in odd
    ]
    for place, line in theirs:
        made.insert(place, (line, {}))
    data = joined([line for line, _ in made])
    rows, _, _ = read(data, cuts)
    by_position = {row["position"]: row for row in rows}
    at = 0
    for line, what in made:
        if what:
            assert said(by_position[at], list(what)) == what
        at += len(line) + 1
