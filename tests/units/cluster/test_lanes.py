"""What is committed of a lane, counted from its front."""

from __future__ import annotations

from logagg.cluster.lanes import Flight, Lane


def lane_of(*flights: tuple[str, int, int]) -> Lane:
    lane = Lane(0)
    for source, start, end in flights:
        lane.add(Flight(source, 0, start, end, b"data"))
    return lane


def test_all_before_the_first_that_is_not_committed_are_done() -> None:
    lane = lane_of(("a", 0, 10), ("b", 0, 10), ("a", 10, 20))
    assert (lane.added, lane.done) == (3, 0)
    assert lane.release({"b": (10, 10)})
    assert lane.done == 0, "a chunk of another source is still there"
    assert lane.release({"a": (10, 20)})
    assert lane.done == 2
    assert not lane.release({"a": (10, 20)})
    assert lane.release({"a": (20, 20)})
    assert (lane.done, lane.nbytes) == (3, 0)
    lane.add(Flight("b", 0, 10, 20, b"data"))
    assert (lane.added, lane.done) == (4, 3)
