"""The messages that a shard accepts: those for its owner, of a tailer's last run, and each request once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from logagg.clock import ManualClock
from logagg.cluster.epochs import Epochs
from logagg.cluster.protocol import NO_OWNER, OwnerRequest, PositionsRequest, Reply
from logagg.cluster.quarantine import Attempts
from logagg.cluster.refusals import REPLAYED, Refusals
from logagg.cluster.shard_host import Ownership, ShardHost
from logagg.rollup.definitions import DEFAULTS
from logagg.rollup.shard import Shard, ShardSettings
from tests.peer import job_message


class Place:
    """A shard and its successive owners."""

    def __init__(self, root: Path) -> None:
        self.clock = ManualClock()
        report = lambda notice: None  # noqa: E731
        attempts, epochs = Attempts(root, 0, self.clock, report), Epochs(root, 0, report)
        self.owned = Ownership(attempts, epochs, Refusals(self.clock, report), lambda: None, 1 << 20)
        self.taken_over()

    def taken_over(self) -> ShardHost:
        shard = Shard(0, ShardSettings(DEFAULTS, 30.0, 20_000))
        self.host = ShardHost(shard, 2, [], self.owned)
        self.owner = bytes.fromhex(self.host.owner)
        return self.host

    def says(self, message: object, owner: bytes | None = None) -> str:
        """Return the refusal of a message before any work; "" if there is none."""
        objection = self.host.objects(message, self.owner if owner is None else owner)  # type: ignore[arg-type]
        return objection.outcome if objection else ""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def question(epoch: int = 1, count: int = 1, run: str = "run") -> PositionsRequest:
    return PositionsRequest("web1", epoch, 0, run=run, count=count)


def test_a_message_for_another_owner_changes_nothing(place: Place) -> None:
    """Meant for another shard, for another lake with the same secret, or for this shard before it was taken over."""
    before = place.owner
    place.taken_over()
    for owner in (before, NO_OWNER, bytes(range(16))):
        assert place.says(job_message(epoch=9), owner) == "moved"
        assert place.says(question(epoch=9), owner) == "moved"
    assert place.owned.epochs.last("web1") == 0
    answer = place.host.objects(question(), before)
    assert answer and answer.owner == place.host.owner and not answer.positions


def test_a_question_counts_once(place: Place) -> None:
    assert [place.says(question(count=count)) for count in (1, 2, 2, 1, 5, 4, 6)] == [
        "",
        "",
        "refused",
        "refused",
        "",
        "refused",
        "",
    ]
    assert place.owned.refusals.counts == {REPLAYED: 3}


def test_a_new_run_counts_from_the_start_and_supersedes_the_old_one(place: Place) -> None:
    assert place.says(question(count=7)) == ""
    assert place.says(question(epoch=2, count=1, run="next")) == ""
    assert place.says(question(epoch=1, count=8)) == "superseded"
    assert place.says(job_message(tailer="web1", epoch=1)) == "superseded"
    assert place.says(question(epoch=2, count=2, run="next")) == ""


def test_a_repeated_job_is_a_duplicate(place: Place) -> None:
    job = job_message()
    assert place.says(job) == ""
    assert place.host.take(job).outcome == "taken"
    assert place.says(job) == ""
    assert place.host.take(job).outcome == "duplicate"


def test_another_number_of_shards_is_refused(place: Place) -> None:
    answer = place.host.objects(job_message(shards=3), place.owner)
    assert answer and answer.reason == "misfit: the lake has 2 shards, the tailer divides by 3"


def test_a_greeting_reveals_no_position(place: Place) -> None:
    place.host.take(job_message(tailer="web1"))
    assert place.says(question(epoch=4)) == ""
    answer = place.host.tell_owner(OwnerRequest("web1", 0))
    assert answer == Reply("taken", 2, place.host.owner, epoch=4, limit=1 << 20)


def test_status_is_answered_once_for_each_token(place: Place) -> None:
    def token() -> bytes:
        return bytes.fromhex(place.host.tell_owner(OwnerRequest("", 0, for_status=True)).owner)

    first = token()
    assert place.host.tell_status(first, 0.0).reports
    again = place.host.tell_status(first, 0.0)
    assert again.outcome == "moved" and not again.reports
    assert bytes.fromhex(again.owner) == token() != first
    assert place.host.tell_status(token(), 0.0).reports[""]["refused"] == 0
    assert not place.host.tell_status(place.owner, 0.0).reports


def test_status_shows_what_was_refused_and_when(place: Place) -> None:
    place.owned.refusals.add("forged", "a message")
    place.clock.sleep(9)
    token = bytes.fromhex(place.host.tell_owner(OwnerRequest("", 0, for_status=True)).owner)
    shard = place.host.tell_status(token, 0.0).reports[""]
    assert (shard["refused"], shard["refused_age"]) == (1, 9)


def test_status_shows_the_commits_of_this_owner(place: Place) -> None:
    def shard() -> Mapping[str, int]:
        token = bytes.fromhex(place.host.tell_owner(OwnerRequest("", 0, for_status=True)).owner)
        return place.host.tell_status(token, 0.0).reports[""]

    assert (shard()["commits"], shard()["pid"]) == (0, os.getpid()) and "committed_at" not in shard()
    place.host.take(job_message())
    place.host.committed(place.host.drain()[0], 7.5)
    assert (shard()["commits"], shard()["committed_at"]) == (1, 7)
