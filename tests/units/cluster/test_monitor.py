"""The rows of a monitor, from what servers, workers and heartbeats say, and from what they leave out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logagg.clock import ManualClock
from logagg.cluster import admin, lake_view, monitor
from logagg.cluster.admin import Function, ServerState
from logagg.cluster.gearman import Server
from logagg.cluster.lake_view import LakeView
from logagg.cluster.protocol import Reply
from logagg.cluster.shard_rows import NO_ANSWER, NO_SECRET, NO_SERVER, NO_WORKER, ShardRow, Shards, problems
from logagg.cluster.tailer_rows import TailerRow, Tailers
from logagg.heartbeat import Heartbeat, encode

NOW = 1_000_000.0
BEAT = Heartbeat("web1", "host", 7, 0, NOW - 90, NOW - 2, heard=NOW - 2, behind=1.5, unread=30, version="0.1.0")


def server(*functions: Function, workers: dict[str, set[str]] | None = None, up: bool = True) -> ServerState:
    known = tuple((name, frozenset(can)) for name, can in (workers or {}).items())
    return ServerState(Server("one"), up, "" if up else "it is down", "1.1", functions, known)


def jobs(shard: int, queued: int = 0, running: int = 0, workers: int = 1) -> Function:
    return Function(f"logagg.shard.{shard}", queued, running, workers)


def answer(shard: dict[str, int], tailers: dict[str, dict[str, int]] | None = None, *beats: Heartbeat) -> Reply:
    numbers = {"taken": 1, "duplicates": 0, "gaps": 0, "held": 9, "refused": 0, "at": int(NOW), **shard}
    return Reply("taken", 2, reports={**(tailers or {}), "": numbers}, heartbeats=tuple(map(encode, beats)))


def shards(
    servers: list[ServerState],
    answers: dict[int, Reply] | None = None,
    lake: LakeView | None = None,
    *,
    asked: bool = True,
) -> list[ShardRow]:
    return Shards(servers, lake or LakeView()).rows(answers or {}, asked=asked)


def tailers(answers: dict[int, Reply], lake: LakeView | None = None) -> Tailers:
    return Tailers(answers, lake or LakeView(), NOW)


def one(found: Tailers) -> TailerRow:
    [row] = found.rows()
    return row


# shards


def test_queues_of_all_servers_are_added() -> None:
    [row] = shards([server(jobs(0, 3, 1)), server(jobs(0, 2, 0))])
    assert (row["queued"], row["running"], row["workers"]) == (5, 1, 2)


def test_why_numbers_are_missing() -> None:
    up, idle = server(jobs(0)), server(jobs(0, workers=0))
    for servers, asked, expected in (
        ([server(up=False)], True, NO_SERVER),
        ([idle], True, NO_WORKER),
        ([idle], False, NO_WORKER),
        ([up], False, NO_SECRET),
        ([up], True, NO_ANSWER),
    ):
        [row] = shards(servers, asked=asked)
        assert (row["problem"], row["taken"], row["held"], row["commits"]) == (expected, None, None, None)
        assert list(problems([row])) == ([] if expected in (NO_SERVER, NO_SECRET) else [f"shard 0: {expected}"])


def test_the_number_of_shards_is_that_of_the_workers_or_the_lake() -> None:
    """A server lists functions of any number: those of earlier workers, and those of other programs."""
    servers = [server(jobs(0), jobs(7), jobs(4095))]
    assert len(shards(servers, {0: answer({})})) == 2
    assert len(shards(servers, lake=LakeView(shards=3))) == 3
    assert len(shards([server(jobs(0), jobs(7))])) == 8
    assert len(shards([])) == 1


def test_the_owner_is_the_process_that_answers_or_holds_the_lease() -> None:
    """Any program may register itself as a worker, under any name."""
    servers = [server(jobs(0), workers={"host-7": {"logagg.shard.0"}, "host-8": {"logagg.shard.0"}, "x-9": {"f"}})]
    assert shards(servers)[0]["owner"] == "host-7, host-8"
    assert shards(servers, {0: answer({"pid": 8})})[0]["owner"] == "host-8"
    assert shards(servers, lake=LakeView(owners={0: "7"}))[0]["owner"] == "host-7"
    assert shards([], lake=LakeView(owners={0: "7"}))[0]["owner"] == "process 7"
    assert shards([])[0]["owner"] is None


def test_the_lag_of_a_shard_is_what_others_have_received() -> None:
    answers = {
        0: answer({}, {"web1": {"committed": 100, "applied": 150}, "web2": {"committed": 10, "applied": 10}}),
        1: answer({}, {"web1": {"committed": 150, "applied": 150}, "web2": {"committed": 4, "applied": 4}}),
    }
    assert [row["lag"] for row in shards([], answers)] == [50, 6]


def test_the_lag_of_a_shard_whose_worker_is_gone() -> None:
    """It is known as far as the lake can be read."""
    answers = {0: answer({}, {"web1": {"committed": 100, "applied": 100}})}
    assert [row["lag"] for row in shards([], answers)] == [0, None]
    lake = LakeView(commits=3, committed={"web1": {0: 90, 1: 40}})
    assert [row["lag"] for row in shards([], answers, lake)] == [0, 60]
    assert [row["lag"] for row in shards([], lake=replace(lake, shards=2))] == [0, 50]


def test_a_worker_of_an_earlier_version_has_no_commits() -> None:
    row, _ = shards([], {0: answer({})})
    assert (row["commits"], row["last_commit"], row["held"]) == (None, None, 9)
    row, _ = shards([], {0: answer({"commits": 4, "committed_at": int(NOW)})})
    assert (row["commits"], row["last_commit"]) == (4, "1970-01-12T13:46:40Z")


# tailers


def test_a_tailer_of_which_only_the_heartbeat_is_known() -> None:
    row = one(tailers({}, LakeView(heartbeats=[replace(BEAT, uncommitted=12, resent=3)])))
    assert (row["name"], row["version"], row["state"]) == ("web1", "0.1.0", "running")
    assert (row["lag_bytes"], row["lag_seconds"], row["resent"]) == (42, 3.5, 3)
    assert (row["position"], row["refused"], row["silent"]) == (None, None, None)


def test_a_tailer_of_which_only_the_numbers_are_known() -> None:
    told = {"unread": 5, "uncommitted": 6, "resent": 7, "silent": 2, "committed": 50, "sources": 2}
    row = one(tailers({0: answer({}, {"web1": told}), 1: answer({}, {"web1": {"committed": 40}})}))
    assert (row["version"], row["state"], row["lag_bytes"], row["lag_seconds"]) == (None, "running", 11, None)
    assert (row["resent"], row["sources"], row["position"], row["shard_lag"]) == (7, 2, 50, 10)
    assert one(tailers({0: answer({}, {"web1": {"silent": 31}})}))["state"] == "lost"
    assert one(tailers({0: answer({}, {"web1": {}})}))["state"] is None


def test_the_newest_heartbeat_counts() -> None:
    older = replace(BEAT, heard=NOW - 60, version="0.0.9")
    for beats, kept in (((BEAT,), older), ((older,), BEAT)):
        found = tailers({0: answer({}, None, *beats)}, LakeView(heartbeats=[kept]))
        assert one(found)["version"] == "0.1.0"
    assert len(found.heartbeats) == 1


def test_a_lost_tailer_lags_ever_more_and_one_that_ended_does_not() -> None:
    lost = tailers({}, LakeView(heartbeats=[replace(BEAT, heard=NOW - 100)]))
    assert (one(lost)["state"], one(lost)["lag_seconds"]) == ("lost", 101.5)
    assert list(lost.problems(None)) == ["tailer web1: no heartbeat for 100 s; 30 bytes were unread"]
    ended = tailers({}, LakeView(heartbeats=[replace(BEAT, heard=NOW - 100, ended=NOW - 100)]))
    assert (one(ended)["state"], one(ended)["lag_seconds"]) == ("ended", 1.5)
    assert not list(ended.problems(None))


def test_a_heartbeat_that_cannot_be_read_is_left_out() -> None:
    reply = replace(answer({}), heartbeats=("{", encode(BEAT)))
    assert [row["name"] for row in tailers({0: reply}).rows()] == ["web1"]


# all of it


def looked(monkeypatch: pytest.MonkeyPatch, states: list[ServerState], root: Path | None = None) -> Any:
    monkeypatch.setattr(admin, "look_at", lambda servers, clock: states)
    return monitor.check([], root, None, ManualClock())


def test_functions_of_shards_come_first_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "FUNCTIONS", 1)
    other = [Function("aaa", 1, 0, 0), Function("zzz", 0, 0, 1)]
    [row] = looked(monkeypatch, [server(*other, jobs(10), jobs(9), Function("logagg.positions.9", 0, 0, 1))])["servers"]
    names = ["logagg.positions.9", "logagg.shard.9", "logagg.shard.10", "aaa"]
    assert ([one["name"] for one in row["functions"]], row["omitted"]) == (names, 1)


@pytest.mark.parametrize("root", [None, "nothing"])
def test_without_a_lake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: str | None) -> None:
    found = looked(monkeypatch, [server(jobs(0))], tmp_path / root if root else None)
    assert (found["tailers"], found["quarantine"], found["problems"]) == ([], [], [])
    assert found["lake"]["commits"] is None and "no lake" in found["lake"]["problem"]


def test_any_encoder_of_json_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    beat = replace(BEAT, tailer="caf\udce9", behind=float("nan"), paths=("/caf\udce9",))
    monkeypatch.setattr(lake_view, "view", lambda *_: LakeView(heartbeats=[beat]))
    found = looked(monkeypatch, [])
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    assert found["tailers"][0]["name"] == "caf\\udce9"
