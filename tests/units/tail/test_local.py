"""The threads of a tail: when a stage fails, and when there is no work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from logagg.config.sections import Config, Retention, Tail
from logagg.errors import MergeStopped
from logagg.intake.tail import Tailer
from logagg.lake.catalog import newest
from logagg.lake.lake import Lake
from logagg.lake.progress import MergeProgress
from logagg.parse.lines import fast
from logagg.rollup.shard import Shard
from logagg.tail import local, reader
from logagg.tail.options import TailOptions
from logagg.tail.signals import ControlRequests
from tests.laws import sums
from tests.laws.crashes import lines
from tests.laws.feed import files_of, position

MANY_COMMITS = Config(log_format="combined", tail=Tail(chunk=500), retention=Retention(None, None, None))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes(lines(120))
    return path


def read(log: Path) -> Path:
    """Read a log with many small commits; return the lake."""
    lake = log.parent / "lake"
    sums.read(lake, [log], MANY_COMMITS, flush=1e-6, shards=3)
    return lake


@pytest.mark.parametrize(
    "stage", [(fast, "parse"), (local, "shard_jobs"), (Shard, "absorb"), (Lake, "commit")], ids=lambda stage: stage[1]
)
@pytest.mark.slow
def test_a_stage_that_fails_ends_the_run_with_its_error_and_loses_nothing(
    stage: tuple[object, str], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(*stage, broken(getattr(*stage), after=1))
        with pytest.raises(ZeroDivisionError):
            read(log)
    sums.assert_agrees(read(log), lines(120).decode().splitlines())


@pytest.mark.slow
def test_a_lake_that_cannot_be_opened_ends_the_run(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "begin", broken(Lake.begin, after=0))
        with pytest.raises(ZeroDivisionError):
            read(log)
    sums.assert_agrees(read(log), lines(120).decode().splitlines())


def test_a_run_without_lines_creates_a_lake(log: Path) -> None:
    log.write_bytes(b"")
    assert newest(read(log))


def broken(call: Callable[..., Any], after: int) -> Callable[..., Any]:
    """Return a function that works a number of times, and then fails."""
    calls = count()

    def work(*arguments: Any, **options: Any) -> Any:
        return call(*arguments, **options) if next(calls) < after else 1 // 0

    return work


def test_a_run_has_the_configured_number_of_shards(log: Path) -> None:
    words = TailOptions([str(log)], log.parent / "lake", MANY_COMMITS, shards=5)
    assert words.shard_count == 5


@pytest.mark.slow
def test_drained_rows_count_once_against_the_limit_of_uncommitted_bytes(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve, drain = local.LocalSink._serve, Shard.drain
    running: list[local.LocalSink] = []
    counted: list[bool] = []

    def remember(self: local.LocalSink, shard: Shard, message: Any) -> None:
        running[:] = [self]
        serve(self, shard, message)

    def look(self: Shard) -> Any:
        counted.append(running[0]._held[0] + running[0]._sinking[0] == self.nbytes)
        return drain(self)

    monkeypatch.setattr(local.LocalSink, "_serve", remember)
    monkeypatch.setattr(Shard, "drain", look)
    sums.read(log.parent / "lake", [log], MANY_COMMITS, flush=1e-6, shards=1)
    assert counted and all(counted)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_tail_that_ends_abandons_its_merge_without_leaving_files(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on, stopped = threading.Event(), MergeProgress.read, list[MergeStopped]()

    def endless(self: MergeProgress, count: int) -> None:
        reading.set()
        while True:
            try:
                go_on(self, 0)
            except MergeStopped as error:
                stopped.append(error)
                raise
            time.sleep(0.01)

    with monkeypatch.context() as patch:
        patch.setattr(MergeProgress, "read", endless)
        with followed(log, 0.01) as lake:
            for number in range(10_000):
                with log.open("ab") as more:
                    more.write(lines(1, 120 + number))
                if reading.wait(0.02):
                    break
    assert stopped
    named, there = files_of(lake)
    assert {path for path in there if path.startswith("data")} <= named
    sums.assert_agrees(read(log), log.read_text().splitlines())


SECOND_LOOKS = (
    200  # looks in a second: two when idle, eighty during a long commit; without a pause there would be thousands
)


@contextmanager
def followed(log: Path, flush: float) -> Iterator[Path]:
    """Follow a log until the block ends; yield the lake."""
    requests, lake = ControlRequests(), log.parent / "lake"
    words = TailOptions([str(log)], lake, MANY_COMMITS, flush=flush, shards=1, verbosity=-1)
    with ThreadPoolExecutor(1) as thread:
        tail = thread.submit(local.tail, words, None, requests)
        try:
            yield lake
        finally:
            requests.put("stop")
            tail.result(60)


def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list that grows by the time of each look at the logs."""
    poll, found = Tailer.poll, list[float]()

    def look(self: Tailer) -> Any:
        found.append(time.monotonic())
        return poll(self)

    monkeypatch.setattr(Tailer, "poll", look)
    return found


def await_commits(lake: Path, number: int) -> None:
    end = time.monotonic() + 60
    while not (newest(lake) and int(newest(lake).name[:6]) >= number):  # type: ignore[union-attr]
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("flush", [0.01, 0.2])
@pytest.mark.slow
def test_a_tail_rests_when_a_busy_log_has_ended(flush: float, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BUSY", 100)
    found = looks(monkeypatch)
    with followed(log, flush) as lake:
        await_commits(lake, 2)
        while position(lake) < log.stat().st_size:
            time.sleep(0.1)
        time.sleep(2 * flush + 0.5)
        before = len(found)
        time.sleep(1)
        assert len(found) - before < SECOND_LOOKS
    sums.assert_agrees(lake, lines(120).decode().splitlines())


@pytest.mark.slow
def test_a_tail_rests_while_a_commit_takes_long(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_bytes(lines(4))
    commit, found, during = Lake.commit, looks(monkeypatch), list[int]()

    def slow(self: Lake, *arguments: Any) -> Any:
        with log.open("ab") as more:
            more.write(lines(1, 4 + len(during)))
        before = len(found)
        time.sleep(1)
        during.append(len(found) - before)
        return commit(self, *arguments)

    monkeypatch.setattr(Lake, "commit", slow)
    with followed(log, 0.01) as lake:
        await_commits(lake, 4)
    assert 0 < max(during) < SECOND_LOOKS
