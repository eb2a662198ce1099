"""The report on a tail by its last heartbeat."""

from __future__ import annotations

from dataclasses import replace

import pytest

from logagg.heartbeat import Heartbeat, LogProblem
from logagg.query import tails

NOW = 10_000.0
BEAT = Heartbeat("", "host", 7, 1, 1_000.0, NOW - 2, heard=NOW - 2)
LOCKED = LogProblem("/a.log", "permission denied: not allowed to enter /x", NOW - 62)
GARBLED = LogProblem("/b.log", "90 of its last 100 lines are rejects", NOW - 12, "s", 100, 90)
STRANGE = LogProblem("/c.log", "no known log format matches most of its first lines", NOW - 12, "t")


def writer(beat: Heartbeat, *, holds_lock: bool | None = True) -> tails.TailHealth:
    return tails.of_writer(beat, NOW, holds_lock=holds_lock)


@pytest.mark.parametrize(
    ("beat", "lock", "state"),
    [
        (BEAT, True, "running"),
        (BEAT, False, "lost"),
        (replace(BEAT, ended=NOW - 2), False, "ended"),
        (replace(BEAT, heard=NOW - 3600), True, "running"),
        (BEAT, None, "running"),
        (replace(BEAT, heard=NOW - 31), None, "lost"),
    ],
)
def test_the_lock_shows_whether_the_tail_runs(beat: Heartbeat, lock: bool | None, state: str) -> None:
    assert writer(beat, holds_lock=lock).state == state
    assert ("a tail is running" in tails.describe(writer(beat, holds_lock=lock))) == (state == "running")


@pytest.mark.parametrize(
    ("heard", "ended", "state"),
    [(NOW - 29, 0, "running"), (NOW - 31, 0, "lost"), (NOW - 1, 5, "ended"), (NOW - 99, 5, "ended")],
)
def test_a_remote_tail_runs_while_its_heartbeats_arrive(heard: float, ended: float, state: str) -> None:
    assert tails.of_remote(replace(BEAT, tailer="web1", heard=heard, ended=ended), NOW).state == state


def test_a_healthy_tail() -> None:
    assert list(tails.problems(writer(BEAT))) == []


def test_unreadable_and_unparsed_logs_are_reported_with_a_time_and_a_remedy() -> None:
    found = list(tails.problems(writer(replace(BEAT, unreadable=(LOCKED,), unparsed=(GARBLED, STRANGE)))))
    assert found == [
        "/a.log: permission denied: not allowed to enter /x, for 62 s; give the tail's user permission to read it (often by group adm)",
        "/b.log: 90 of its last 100 lines are rejects, for 12 s; the table reject_samples shows some; "
        "no known format matches them, so say theirs with --log-format",
        "/c.log: no known log format matches most of its first lines, for 12 s; say it with --log-format",
    ]


def test_durations_do_not_depend_on_the_clock_of_the_other_machine() -> None:
    """The tail's clock is an hour ahead."""
    beat = replace(BEAT, tailer="web1", at=BEAT.at + 3600, unreadable=(replace(LOCKED, since=LOCKED.since + 3600),))
    [message] = tails.problems(tails.of_remote(beat, NOW))
    assert message.startswith("web1:/a.log: ") and "for 62 s" in message


def test_missing_paths_are_not_a_failure() -> None:
    tail = writer(replace(BEAT, waiting=(LogProblem("/d.log", "no such file or directory", NOW - 30),)))
    assert (
        list(tails.waiting(tail)) == ["/d.log: no such file or directory, for 30 s"]
        and list(tails.problems(tail)) == []
    )


@pytest.mark.parametrize(
    ("stalled", "flush", "well"), [(29, 0.1, True), (31, 0.1, False), (120, 60, True), (160, 60, False)]
)
def test_lines_wait_without_a_commit(stalled: float, flush: float, well: bool) -> None:
    found = list(tails.problems(writer(replace(BEAT, stalled=stalled, flush=flush, unread=5))))
    assert well == (not found) and all("5 bytes are unread, but nothing was committed" in text for text in found)


def test_a_tail_that_hangs() -> None:
    assert "its last heartbeat is 31 s old" in " ".join(tails.problems(writer(replace(BEAT, heard=NOW - 31))))


def ages(*beats: tuple[Heartbeat, bool]) -> list[str]:
    return list(tails.too_old([writer(beat, holds_lock=runs) for beat, runs in beats], 300))


def test_the_age_for_a_monitor() -> None:
    idle = replace(BEAT, behind=0.5)
    assert ages((idle, True)) == []
    assert ages((replace(idle, behind=299), True)) == ["not all lines written up to 301 s ago are committed"]
    assert ages((replace(idle, heard=NOW - 301), True)) == ["no heartbeat of a tail for 301 s"]
    assert ages((idle, False)) == [], "it may be started again by then"
    assert ages((replace(idle, heard=NOW - 301), False)) == ["no heartbeat of a tail for 301 s"]
    assert ages((replace(idle, ended=NOW - 2), False)) == []
    assert ages((replace(idle, heard=NOW - 301, ended=NOW - 301), False)) == ["no heartbeat of a tail for 301 s"]
    assert ages((replace(idle, behind=9999, ended=NOW - 2), False)) == [], "lines after its end are for the next tail"


def test_of_several_tails_those_count_that_have_not_ended_normally() -> None:
    old = replace(BEAT, heard=NOW - 5000)
    gone, killed = replace(old, tailer="gone", ended=NOW - 5000), replace(old, tailer="killed")
    assert ages((replace(BEAT, tailer="web1"), True), (gone, False)) == []
    assert ages((replace(BEAT, tailer="web1"), True), (killed, False)) == [
        "tailer killed: no heartbeat of a tail for 5,000 s"
    ]
    failed = replace(gone, tailer="failed", failure="the disk")
    assert ages((replace(BEAT, tailer="web1"), True), (failed, False)) == [
        "tailer failed: no heartbeat of a tail for 5,000 s"
    ]
    assert ages((gone, False), (replace(gone, tailer="later", heard=NOW - 400), False)) == [
        "tailer later: no heartbeat of a tail for 400 s"
    ]


def test_a_remote_tail_that_has_ended_raises_no_alarm() -> None:
    beat = replace(BEAT, tailer="web1", unreadable=(LOCKED,), unread=5)
    assert list(tails.problems(tails.of_remote(replace(beat, ended=5.0), NOW))) == []
    lost = tails.of_remote(replace(beat, heard=NOW - 40), NOW)
    assert list(tails.silent(lost)) == ["tailer web1: no heartbeat for 40 s; 5 bytes were unread"]
    assert list(tails.silent(tails.of_remote(beat, NOW))) == []
