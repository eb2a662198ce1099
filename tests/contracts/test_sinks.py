"""The contract of every sink (`logagg.tail.sink`), tested for both: the lake of this process, and a worker behind a gearmand."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logagg.alert.service import AlertService
from logagg.clock import SystemClock
from logagg.cluster import remote
from logagg.cluster.gearman import Server
from logagg.cluster.remote import Cluster, RemoteDestination
from logagg.config.sections import Config, Tail
from logagg.errors import CommitFailed
from logagg.intake.registry import new_source
from logagg.lake import retry
from logagg.lake.lake import Lake
from logagg.notice_log import Notices
from logagg.notices import ignore
from logagg.parse.formats.compile import compile_format
from logagg.parse_pool.task import ParseTask, without_data
from logagg.records import Chunk, Fingerprint, Source
from logagg.rollup.configured import tables_of
from logagg.tail.freshness import Freshness
from logagg.tail.local import LocalDestination
from logagg.tail.options import TailOptions
from logagg.tail.signals import ControlRequests
from logagg.tail.sink import Closed, Destination
from logagg.tail.stats import Stats, Tally
from tests.conftest import Command, combined, wait_until
from tests.gearmand import Site

pytestmark = pytest.mark.e2e

CONFIG = Config(log_format="combined", tail=Tail(chunk=500))  # a small limit of uncommitted bytes
FORMAT, CLOCK = compile_format("combined"), SystemClock()
ALERTS = AlertService(Path("nowhere"), CONFIG, SystemClock(), ignore)  # there are none
PARSERS, MANY = 4, 600  # more chunks than a sink accepts uncommitted
LINES = 3  # in a chunk


class Place:
    """The destination of the lines, and obstacles that can be switched on."""

    def __init__(self, logagg: Command) -> None:
        self.logagg = logagg
        self.options = TailOptions([], logagg.lake, CONFIG, shards=2, verbosity=-1)
        self.notices = Notices(CLOCK, verbosity=-1)

    def destination(self) -> Destination:
        """Start where the previous writer has left off."""
        raise NotImplementedError

    def refuse(self) -> None:
        """Let all commits fail from now on."""
        raise NotImplementedError

    def admit(self) -> None:
        """Let commits succeed again."""
        raise NotImplementedError

    def close(self) -> None:
        pass


class Here(Place):
    """The lake of this process, whose disk may be full."""

    def __init__(self, logagg: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(logagg)
        self._lake: Lake | None = None
        self._admits = threading.Event()
        self._admits.set()
        commit = Lake.commit

        def checked(lake: Lake, *arguments: Any) -> Any:
            if not self._admits.is_set():
                raise CommitFailed("the disk is full")
            return commit(lake, *arguments)

        monkeypatch.setattr(Lake, "commit", checked)
        monkeypatch.setattr(retry, "RETRY_AFTER", 0.05)

    def destination(self) -> Destination:
        self.close()
        lake = Lake.open(self.logagg.lake, tables_of(CONFIG), clock=CLOCK, config=CONFIG, begin=False)
        self._lake = lake
        return LocalDestination(lake, self.options, CLOCK, self.notices, ControlRequests(), PARSERS, ALERTS)

    def refuse(self) -> None:
        self._admits.clear()

    def admit(self) -> None:
        self._admits.set()

    def close(self) -> None:
        if self._lake:
            self._lake.close()
            self._lake = None


class Elsewhere(Place):
    """A worker in a separate process behind a job server, which may not reply."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(site.logagg)
        self._site, self._worker = site, site.worker("0-1/2")
        site.await_lake()
        monkeypatch.setattr(remote, "LAST_FLUSH", 0.5)

    def destination(self) -> Destination:
        servers = [Server("127.0.0.1", self._site.servers[0].port)]
        cluster = Cluster(servers, "web1", self.logagg.lake / "secret")
        return RemoteDestination(cluster, self.options, CLOCK, self.notices, PARSERS)

    def refuse(self) -> None:
        self._worker.send_signal(signal.SIGSTOP)

    def admit(self) -> None:
        self._worker.send_signal(signal.SIGCONT)


class Driver:
    """Puts chunks of one log, as the read loop does."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.source = new_source("access.log")
        self._parser = ThreadPoolExecutor(1)
        self._destination: Destination | None = None
        self.begin()

    def begin(self) -> None:
        """Start a session where the previous one, however it ended, has left off."""
        self._end()
        self._destination = self.place.destination()
        self.stats, self.failed = Stats(Tally(), Freshness(CLOCK)), threading.Event()
        beginning = self._destination.begin(self.stats, lambda: False)
        assert beginning
        known = [one.resume.position for one in beginning.known if one.source.id == self.source.id]
        self.position = max(known, default=0)
        self.use(CONFIG, self._destination.sink(CONFIG))

    def use(self, config: Config, sink: Any) -> None:
        assert self._destination
        self.sink = sink
        self._task = ParseTask(self._destination.classifier(config), then=sink.then)
        sink.start(self.failed.set)

    def adopt(self, config: Config) -> None:
        assert self._destination
        self.use(config, self._destination.adopt(config))

    def chunk(self, lines: int = LINES) -> Chunk:
        """Read the next lines, each of another client."""
        numbers = range(self.position, self.position + lines)
        data = "".join(combined([("/", 200)], client=f"192.0.2.{number % 200}") for number in numbers).encode()
        start, self.position = self.position, self.position + len(data)
        return Chunk(self.source.id, 0, start, self.position, data, Fingerprint.blank(self.position))

    def parsed(self, chunk: Chunk, source: Source | None = None) -> Any:
        return self._task(chunk, FORMAT, CLOCK.now(), "", source or self.source).result

    def put(self, chunk: Chunk | None = None, parsed: Future[Any] | None = None) -> None:
        """Put a chunk before its parser is finished, and flush when the sink asks for it."""
        chunk = chunk or self.chunk()
        parsed = parsed or self._parser.submit(self.parsed, chunk, self.source)
        self.sink.put(self.source, without_data(chunk), parsed)
        if self.sink.due() and self.sink.ready():
            self.flush()

    def flush(self, *, changed: bool = False) -> None:
        self.sink.ready(None)
        self.sink.flush([self.source], changed=changed)

    def finish(self) -> None:
        """End the session as the read loop and the run do."""
        with suppress(Closed):
            self.flush()
        self.sink.finish()

    def lines(self) -> int:
        """Return the number of committed lines."""
        try:
            return self.place.logagg.lines()
        except duckdb.Error:
            return 0  # there is no lake yet

    def await_lines(self, lines: int) -> None:
        wait_until(lambda: self.lines() == lines)

    def close(self) -> None:
        self.place.admit()
        self.sink.cut()
        with suppress(BaseException):
            self.sink.finish()
        self._end()
        self._parser.shutdown()
        self.place.close()

    def _end(self) -> None:
        if self._destination:
            self._destination.end()


@pytest.fixture(params=["here", "elsewhere"])
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    place: Place
    if request.param == "here":
        place = Here(request.getfixturevalue("logagg"), monkeypatch)
    else:
        place = Elsewhere(request.getfixturevalue("site"), monkeypatch)
    driver = Driver(place)
    yield driver
    driver.close()


def beside(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


def finished(outcome: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
    return future


def test_all_chunks_are_committed_at_the_finish(driver: Driver) -> None:
    for _ in range(20):
        driver.put()
    driver.finish()
    assert driver.lines() == driver.stats.tally.lines == 20 * LINES
    end = driver.position
    driver.begin()
    assert driver.position == end


def test_a_flush_makes_earlier_chunks_visible_during_the_run(driver: Driver) -> None:
    began = CLOCK.monotonic()
    driver.put()
    driver.sink.read(began)
    driver.flush()
    driver.await_lines(LINES)
    wait_until(lambda: driver.stats.freshness.behind <= CLOCK.monotonic() - began)
    driver.put()
    driver.flush()
    driver.await_lines(2 * LINES)
    driver.finish()


def test_lines_are_committed_in_the_order_they_were_put(driver: Driver) -> None:
    """A later chunk is parsed first: it waits for the earlier one, since otherwise the position would pass uncommitted lines."""
    first, second = driver.chunk(), driver.chunk()
    late: Future[Any] = Future()
    driver.put(first, late)
    driver.put(second, finished(driver.parsed(second)))
    time.sleep(0.7)
    assert driver.lines() == 0
    late.set_result(driver.parsed(first))
    driver.finish()
    assert driver.lines() == 2 * LINES


def test_a_put_waits_for_parsers_that_are_behind(driver: Driver) -> None:
    chunks = [driver.chunk() for _ in range(5 * PARSERS)]
    waiting: list[Future[Any]] = [Future() for _ in chunks]
    done: list[Chunk] = []

    def put() -> None:
        for chunk, parsed in zip(chunks, waiting, strict=True):
            driver.put(chunk, parsed)
            done.append(chunk)

    reader = beside(put)
    reader.join(0.5)
    assert 0 < len(done) <= PARSERS + 2
    for chunk, parsed in zip(chunks, waiting, strict=True):
        parsed.set_result(driver.parsed(chunk))
    reader.join(60)
    driver.finish()
    assert driver.lines() == len(chunks) * LINES


@pytest.mark.thorough
def test_a_put_waits_while_too_many_bytes_are_uncommitted(driver: Driver) -> None:
    driver.put()
    driver.flush()
    driver.await_lines(LINES)
    driver.place.refuse()
    done: list[int] = []

    def put() -> None:
        for number in range(MANY):
            driver.put()
            done.append(number)

    reader = beside(put)
    seen = -1
    while len(done) != seen:  # until the put waits
        seen = len(done)
        reader.join(2)
    assert reader.is_alive() and len(done) < MANY
    driver.place.admit()
    reader.join(100)
    driver.finish()
    assert driver.lines() == (MANY + 1) * LINES


def test_a_parser_that_fails_ends_the_sink_and_loses_nothing(driver: Driver) -> None:
    driver.put()
    driver.flush()
    driver.await_lines(LINES)
    end = driver.position
    driver.put(driver.chunk(), finished(ZeroDivisionError("a bug")))
    with pytest.raises(Closed):
        for _ in range(MANY):
            driver.put()
    assert driver.failed.wait(20)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        driver.sink.finish()
    driver.begin()
    assert driver.position == end
    driver.put()
    driver.finish()
    assert driver.lines() == 2 * LINES


def test_lines_that_were_not_committed_are_read_again(driver: Driver) -> None:
    driver.put()
    driver.flush()
    driver.await_lines(LINES)
    end = driver.position
    driver.put(driver.chunk(), Future())
    driver.sink.cut()
    with pytest.raises(Closed):
        driver.put()
    driver.sink.finish()
    driver.begin()
    assert driver.position == end
    driver.put()
    driver.finish()
    assert driver.lines() == 2 * LINES


def test_nothing_is_taken_after_the_finish(driver: Driver) -> None:
    driver.put()
    driver.finish()
    with pytest.raises(Closed):
        driver.put()
    driver.sink.finish()
    assert driver.lines() == LINES


def test_a_new_configuration_applies_to_chunks_after_a_pause(driver: Driver) -> None:
    driver.put()
    driver.flush()
    driver.sink.pause()
    driver.adopt(replace(CONFIG, site="two.example"))
    driver.put()
    driver.finish()
    found = driver.place.logagg.read("SELECT site, sum(hits) FROM traffic GROUP BY site ORDER BY site")
    assert found == [("-", LINES), ("two.example", LINES)]


def test_changes_of_a_source_without_a_chunk_are_passed_on(driver: Driver) -> None:
    driver.put()
    driver.flush()
    driver.await_lines(LINES)
    driver.source = replace(driver.source, path="renamed.log")
    driver.flush(changed=True)
    wait_until(lambda: driver.place.logagg.read("SELECT DISTINCT path FROM sources") == [("renamed.log",)])
    driver.finish()


def test_a_second_signal_does_not_wait_for_commits_that_fail(driver: Driver) -> None:
    """Uncommitted lines are then read again, once."""
    driver.put()
    driver.flush()
    driver.await_lines(LINES)
    driver.place.refuse()
    driver.put()
    driver.flush()
    driver.sink.leave()
    began = time.monotonic()
    with suppress(CommitFailed):
        driver.sink.finish()
    assert time.monotonic() - began < 20
    end, lines = driver.position, driver.lines()
    assert lines == LINES
    driver.place.admit()
    driver.begin()
    left = end - driver.position
    if left:
        driver.put()
    driver.put()
    driver.finish()
    assert driver.lines() == 3 * LINES


def test_a_second_signal_ends_a_put_that_waits(driver: Driver) -> None:
    driver.place.refuse()
    closed = threading.Event()

    def put() -> None:
        with suppress(Closed):
            for _ in range(MANY):
                driver.put()
        closed.set()

    reader = beside(put)
    reader.join(3)
    assert reader.is_alive(), "the put waits"
    driver.sink.leave()
    assert closed.wait(20)
    with suppress(CommitFailed):
        driver.sink.finish()
    assert driver.lines() == 0


def test_each_source_is_committed_independently(driver: Driver) -> None:
    """Sources of one sink do not wait for one another's positions."""
    sources, positions = [driver.source, new_source("other.log")], [0, 0]
    for number in range(6):
        turn = number % 2
        driver.source, driver.position = sources[turn], positions[turn]
        driver.put(driver.chunk(number + 1))
        positions[turn] = driver.position
    driver.sink.ready(None)
    driver.sink.flush(sources, changed=False)
    driver.sink.finish()
    found = driver.place.logagg.read("SELECT path, any_value(position) FROM sources GROUP BY path ORDER BY path")
    assert found == [("access.log", positions[0]), ("other.log", positions[1])]
    assert driver.lines() == 21
