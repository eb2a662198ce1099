"""Which job is blamed when a shard fails, and that the next owner of the shard knows it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from logagg.clock import ManualClock
from logagg.cluster.quarantine import (
    ATTEMPTS,
    CAREFUL,
    FLUSH,
    QUARANTINE,
    REMEMBERED,
    Attempts,
    KeptJob,
    Quarantine,
    kept,
)
from logagg.errors import CommitFailed, LogaggError


class Owners:
    """Successive owners of one shard."""

    def __init__(self, root: Path) -> None:
        self.root, self.clock, self.notices = root, ManualClock(), list[str]()
        self.file = root / QUARANTINE / "shard.7"
        self._dead: list[AbstractContextManager[None]] = []
        self.leaves()

    def leaves(self) -> Attempts:
        """Release the shard; another owner follows."""
        self.now = Attempts(self.root, 7, self.clock, lambda notice: self.notices.append(notice.text))
        return self.now

    def dies(self, job: str = FLUSH, *, alone: bool = False) -> Attempts:
        """Die at work; another owner follows."""
        work = self.now.work(job, alone=alone)
        work.__enter__()
        self._dead.append(work)  # never released
        return self.leaves()

    def raises(self, job: str = FLUSH, *, alone: bool = False) -> Attempts:
        with pytest.raises(ZeroDivisionError), self.now.work(job, alone=alone):
            raise ZeroDivisionError
        return self.now

    def does(self, job: str) -> Attempts:
        with self.now.work(job, alone=True):
            self.now.done(job)
        return self.now


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    return Owners(tmp_path)


def test_an_owner_that_is_idle_or_leaves_has_not_failed(owners: Owners) -> None:
    owners.does("a")
    assert not owners.leaves().careful
    assert owners.notices == []


def test_a_job_that_was_alone_is_given_up_after_a_number_of_deaths(owners: Owners) -> None:
    for _ in range(ATTEMPTS):
        assert not owners.now.exhausted("a")
        assert owners.dies("a", alone=True).careful
    assert owners.leaves().exhausted("a")
    assert owners.notices[-1] == f"shard 7, at job a, {ATTEMPTS} of {ATTEMPTS} times: its owner died"


def test_of_several_jobs_none_is_blamed_but_each_is_tried_alone(owners: Owners) -> None:
    for _ in range(ATTEMPTS):
        assert owners.dies("a").careful
        assert owners.raises("a").careful
    assert not owners.now.exhausted("a") and not owners.now.strict
    owners.clock.sleep(CAREFUL)
    assert not owners.now.careful


def test_after_a_failed_flush_each_job_is_committed_alone_until_it_is_found(owners: Owners) -> None:
    assert owners.dies().strict
    assert owners.dies("a", alone=True).strict, "the next job, too"
    assert owners.raises("a", alone=True).strict
    owners.clock.sleep(CAREFUL)
    assert not owners.now.strict
    assert owners.raises().strict


def test_deaths_and_exceptions_count_alike(owners: Owners) -> None:
    for _ in range(ATTEMPTS - 1):
        owners.raises("a", alone=True)
    assert owners.dies("a", alone=True).exhausted("a")


def test_a_failure_with_a_known_cause_is_not_blamed_on_a_job(owners: Owners) -> None:
    with pytest.raises(LogaggError), owners.now.work("a", alone=True):
        raise LogaggError("the message cannot be read")
    assert owners.notices == []


def test_the_failures_of_a_finished_job_are_forgotten_but_not_those_of_one_given_up(owners: Owners) -> None:
    owners.dies("a", alone=True)
    owners.does("a")
    for _ in range(ATTEMPTS):
        owners.dies("b", alone=True)
    owners.does("b")
    assert owners.leaves().exhausted("b"), "it may be sent again"
    for _ in range(ATTEMPTS - 1):
        owners.dies("a", alone=True)
    assert not owners.now.exhausted("a")


def test_the_number_of_remembered_jobs_is_bounded(owners: Owners) -> None:
    for number in range(10 * REMEMBERED):
        owners.raises("\N{SNOWMAN}" * 64 + str(number), alone=True)
    assert owners.file.stat().st_size < 1 << 14


@pytest.mark.parametrize("half", [b'{"at": "a", "al', b"17", b'{"other": 1}'])
def test_after_half_a_note_jobs_are_taken_alone(owners: Owners, half: bytes) -> None:
    owners.file.write_bytes(half)
    assert owners.leaves().careful
    assert not owners.leaves().careful


def test_a_link_in_its_place_is_not_followed(owners: Owners) -> None:
    owners.file.unlink()
    owners.file.parent.rmdir()
    owners.file.parent.symlink_to(owners.root)
    with pytest.raises(CommitFailed, match="symbolic link"):
        owners.leaves()


def test_what_is_kept_is_listed_with_its_reason_the_newest_first(tmp_path: Path) -> None:
    assert kept(tmp_path) == []
    Attempts(tmp_path, 0, ManualClock(), lambda notice: None).close()
    assert kept(tmp_path) == [], "the note of a shard is no job"
    quarantine = Quarantine(tmp_path, lambda notice: None)
    for at, data in enumerate((b"one", b"three")):
        quarantine.keep(f"job {at}", data, "cannot be read")
        for path in (tmp_path / QUARANTINE).glob("*.job"):
            if path.read_bytes() == data:
                os.utime(path, (at, at))
    newest, oldest = kept(tmp_path)
    assert (newest.reason, newest.bytes, newest.at) == ("job 1: cannot be read", 5, 1.0)
    assert (tmp_path / newest.file).read_bytes() == b"three"
    (tmp_path / oldest.file).with_suffix(".txt").unlink()
    assert kept(tmp_path)[1] == KeptJob(oldest.file, "", 3, 0.0)
