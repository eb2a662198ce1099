"""Which job is to blame when a shard fails, and that it is known to whoever takes the shard over."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from logagg.clock import ManualClock
from logagg.cluster.poison import ATTEMPTS, CAREFUL, QUARANTINE, REMEMBERED, Attempts
from logagg.errors import CommitFailed, LogaggError


class Owners:
    """The owners of one shard, one after the other."""

    def __init__(self, root: Path) -> None:
        self.clock, self.said = ManualClock(), list[str]()
        self.root, self.dead = root, list[AbstractContextManager[None]]()

    def next(self) -> Attempts:
        return Attempts(self.root, 7, self.clock, lambda kind, text: self.said.append(text))

    def dies(self, unique: str, *, alone: bool) -> Attempts:
        """Let an owner die at work; return the next one."""
        work = self.next().work(unique, alone=alone)
        work.__enter__()
        self.dead.append(work)  # never left
        return self.next()


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    return Owners(tmp_path)


def test_who_rests_or_leaves_has_failed_with_nothing(owners: Owners) -> None:
    with owners.next().work("a", alone=True):
        pass
    assert not owners.next().careful
    assert owners.said == []


def test_a_job_that_was_alone_is_given_up_after_so_many_deaths(owners: Owners) -> None:
    for _ in range(ATTEMPTS):
        assert not owners.next().exhausted("a")
        assert owners.dies("a", alone=True).careful
    assert owners.next().exhausted("a")
    assert owners.said[-1] == f"shard 7, at job a, {ATTEMPTS} of {ATTEMPTS} times: its owner died"


def test_of_several_jobs_none_is_to_blame_but_each_is_tried_alone(owners: Owners) -> None:
    for _ in range(ATTEMPTS):
        assert owners.dies("a", alone=False).careful
    attempts = owners.next()
    assert not attempts.exhausted("a")
    with pytest.raises(ZeroDivisionError), attempts.work("a", alone=False):
        raise ZeroDivisionError
    assert attempts.careful
    owners.clock.sleep(CAREFUL)
    assert not attempts.careful


def test_deaths_and_exceptions_count_alike(owners: Owners) -> None:
    for _ in range(ATTEMPTS - 1):
        with pytest.raises(ZeroDivisionError), owners.next().work("a", alone=True):
            raise ZeroDivisionError
    assert owners.dies("a", alone=True).exhausted("a")


def test_what_is_understood_is_no_poison(owners: Owners) -> None:
    with pytest.raises(LogaggError), owners.next().work("a", alone=True):
        raise LogaggError("the message cannot be read")
    assert owners.said == []


def test_a_job_that_is_done_begins_anew_but_one_that_was_given_up_does_not(owners: Owners) -> None:
    attempts = owners.dies("a", alone=True)
    with attempts.work("a", alone=True):
        attempts.done("a")
    for _ in range(ATTEMPTS):
        attempts = owners.dies("b", alone=True)
    with attempts.work("b", alone=True):
        attempts.done("b")
    assert owners.next().exhausted("b"), "it may be sent again"
    for _ in range(ATTEMPTS - 1):
        attempts = owners.dies("a", alone=True)
    assert not attempts.exhausted("a")


def test_only_so_many_jobs_are_remembered(owners: Owners) -> None:
    for number in range(10 * REMEMBERED):
        owners.dies("\N{SNOWMAN}" * 64 + str(number), alone=True)
    assert (owners.root / QUARANTINE / "shard.7").stat().st_size < 1 << 14


def test_half_a_note_makes_careful(owners: Owners) -> None:
    owners.dies("a", alone=True)
    (owners.root / QUARANTINE / "shard.7").write_bytes(b'{"at": "a", "al')
    assert owners.next().careful
    assert not owners.next().careful


def test_a_link_in_its_place_is_not_followed(owners: Owners) -> None:
    (owners.root / QUARANTINE).symlink_to(owners.root)
    with pytest.raises(CommitFailed, match="symbolic link"):
        owners.next()
