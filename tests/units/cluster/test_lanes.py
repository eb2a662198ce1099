"""What is sent again, and what is let go."""

from __future__ import annotations

import pytest

from logagg.cluster.lanes import Flight, Lane, LostGround


def lane(*bounds: tuple[int, int], origin: int = 0) -> Lane:
    found = Lane(0)
    for start, end in bounds:
        found.add(Flight("log", origin, start, end, b"job"))
    for flight in found.flights:
        flight.sent = True
    return found


def unsent(found: Lane) -> list[tuple[int, int]]:
    return [(one.start, one.end) for one in found.flights if not one.sent]


def test_what_is_committed_is_let_go_and_what_is_not_applied_is_sent_again() -> None:
    found = lane((0, 5), (5, 9), (9, 12))
    found.release({"log": (5, 9)})
    found.rewind({"log": (5, 9)})
    assert unsent(found) == [(9, 12)] and found.nbytes == 6 and found.resent == 1


def test_a_job_without_a_line_is_sent_again_until_the_shard_knows_its_log() -> None:
    """It says where reading begins: with `--from end`, of a log that nobody writes to."""
    found = lane((70, 70), origin=70)
    found.rewind({})
    assert unsent(found) == [(70, 70)]
    found.flights[0].sent = True
    found.rewind({"log": (0, 70)})
    assert unsent(found) == [] and found.flights, "applied, not committed"
    found.release({"log": (70, 70)})
    assert not found.flights


def test_a_shard_that_has_less_than_it_needs() -> None:
    with pytest.raises(LostGround, match="stands at 3"):
        lane((5, 9)).rewind({"log": (3, 3)})
