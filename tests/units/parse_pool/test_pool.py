"""Parsers give the same events, whether a separate process or this one parses a chunk."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from logagg.clock import SystemClock
from logagg.config.sections import Config, Privacy
from logagg.memory import Budget
from logagg.notices import Notice
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.presets import NAMED
from logagg.parse_pool import pool
from logagg.parse_pool.pool import Parsers
from logagg.parse_pool.task import ParseTask
from logagg.records import Batch, Chunk, Fingerprint
from tests.conftest import combined

TIMED = [name if not one.outer_time else f"docker+{name}" for name, one in NAMED.items()]
FORMAT = compile_format("combined")
LINES = combined([("/a", 200), ("/click?campaign=c", 302), ("/b", 404)] * 50).encode() + b"192.0.2.9 garbage\n"
Notices = list[tuple[str, str]]


def chunk(data: bytes | memoryview = LINES) -> Chunk:
    return Chunk("s", 0, 0, len(data), data, Fingerprint.blank(len(data)))


def reading(**settings: Any) -> ParseTask:
    return ParseTask(Classifier.of(Config(**settings), b"k" * 32, key_of), max_line=1 << 10)


def budget(parsers: int) -> Budget:
    return Budget(1 << 30, parsers, parser=64 << 20, chunk=1 << 16, waiting=0, events=0, clicks=0)


def ignored(notice: Notice) -> None:
    """Ignore the notice."""


def key_of(end: int) -> bytes:
    return end.to_bytes(16, "big")


@pytest.fixture
def notices() -> Notices:
    return []


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Parsers]:
    """Two parsers in processes, although a test has threads beside it."""
    monkeypatch.setattr("logagg.parse_pool.pool.threading.active_count", lambda: 1)
    made = Parsers(budget(2), SystemClock())
    assert made.memory == 2 * (64 << 20)
    yield made
    made.close()


@pytest.mark.parametrize("settings", [{}, {"privacy": Privacy(rotate=86_400.0)}], ids=["plain", "with keys to ask for"])
@pytest.mark.parametrize("data", [LINES, b"", LINES * 50], ids=["some", "none", "more than there is room for"])
@pytest.mark.slow
def test_a_parser_process_gives_the_same_events(processes: Parsers, settings: dict[str, Any], data: bytes) -> None:
    processes.use(reading(**settings), ignored)
    there = [processes.submit(chunk(data), FORMAT) for _ in range(4)]
    here: Batch = reading(**settings)(chunk(data), FORMAT, SystemClock().now()).result
    for batch in there:
        assert batch.result().table.to_pydict() == here.table.to_pydict() and batch.result().rejects == here.rejects


def in_buffers(made: Parsers, count: int) -> list[memoryview]:
    """Put lines into buffers of the parsers, while there are free ones."""
    buffers = [made.take_buffer() or memoryview(bytearray(len(LINES))) for _ in range(count)]
    for buffer in buffers:
        buffer[: len(LINES)] = LINES
    return [buffer[: len(LINES)] for buffer in buffers]


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True])
def test_lines_are_parsed_without_a_copy(processes: Parsers, killed: bool) -> None:
    """In memory shared with the parsers; in other memory if all buffers are taken; and by this process when a parser dies."""
    processes.use(reading(), ignored)
    lines = in_buffers(processes, 20)
    if killed:
        for pid in processes.pids:
            os.kill(pid, signal.SIGKILL)
    there = [processes.submit(chunk(one), FORMAT).result() for one in lines]
    here: Batch = reading()(chunk(), FORMAT, SystemClock().now()).result
    assert all(batch.table.to_pydict() == here.table.to_pydict() and batch.rejects == here.rejects for batch in there)
    lines.clear()
    assert all(len(buffer) >= len(LINES) for buffer in [processes.take_buffer() for _ in range(pool.AHEAD)]), (
        "the buffer is free again"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TIMED, "json:time_iso8601=t,status=s,request=r"])
def test_a_process_knows_every_format(processes: Parsers, name: str) -> None:
    processes.use(reading(), ignored)
    fmt = compile_format(name)
    data = b'{"t": "2026-03-02T00:00:00Z", "s": "200", "r": "GET / HTTP/1.1"}\n' if fmt.keys else LINES
    here: Batch = reading()(chunk(data), fmt, SystemClock().now()).result
    assert processes.submit(chunk(data), fmt).result().table.to_pydict() == here.table.to_pydict()
    assert here.table.num_rows == 1 or not fmt.keys


def test_a_new_configuration_applies_from_the_next_chunk_on(processes: Parsers) -> None:
    found = []
    for site in ("one", "two", "one"):
        processes.use(reading(site=site), ignored)
        found.append(processes.submit(chunk(), FORMAT).result().table["site"][0].as_py())
    assert found == ["one", "two", "one"]


def test_the_site_of_a_log_goes_before_that_of_the_configuration(processes: Parsers) -> None:
    processes.use(reading(site="general"), ignored)
    submitted = [processes.submit(chunk(), FORMAT, site=site) for site in ("shop.example", "")]
    assert [one.result().table["site"][0].as_py() for one in submitted] == ["shop.example", "general"]


def described(chunk: Chunk, batch: Batch, *more: Any) -> Any:
    return chunk.end, chunk.data, batch.table.num_rows, batch.rejects.lines, os.getpid(), *more


def test_a_parser_may_transform_the_events_before_they_are_sent(processes: Parsers) -> None:
    processes.use(ParseTask(reading().classifier, then=described), ignored)
    *what, pid, more = processes.submit(chunk(), FORMAT, "more").result()
    assert (*what, more) == (len(LINES), b"", 150, 1, "more") and pid != os.getpid()


def test_this_process_does_the_work_of_parsers_that_were_killed(processes: Parsers, notices: Notices) -> None:
    processes.use(reading(), lambda notice: notices.append((notice.kind, notice.text)))
    before = processes.submit(chunk(), FORMAT).result()
    for pid in processes.pids:
        os.kill(pid, signal.SIGKILL)
    after = [processes.submit(chunk(), FORMAT).result() for _ in range(6)]
    assert all(batch.table.to_pydict() == before.table.to_pydict() for batch in after)
    assert notices == [("parser", "a parser ended (signal 9); this process does its work from now on")] * 2


def test_beside_threads_parsers_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logagg.parse_pool.pool.threading.active_count", lambda: 2)
    made = Parsers(budget(1), SystemClock())
    made.use(reading(), ignored)
    assert made.memory == 0 and not made.pids and not made.take_buffer()
    assert made.submit(chunk(), FORMAT).result().table.num_rows == 150
    made.close()
