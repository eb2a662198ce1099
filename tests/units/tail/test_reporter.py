"""When a heartbeat is due, and its content."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from logagg.clock import ManualClock
from logagg.config.sections import Config
from logagg.errors import SourceError
from logagg.heartbeat import Heartbeat, LogProblem
from logagg.intake.tail import Tailer
from logagg.tail.freshness import Freshness
from logagg.tail.options import TailOptions
from logagg.tail.parse_record import ParseRecord
from logagg.tail.reporter import AT_LEAST, EVERY, Reporter


class Bench:
    """A directory, its tailer and a reporter, with a clock that is moved by hand."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder, self.clock, self.record = folder, ManualClock(time.time()), ParseRecord()
        self.sent: list[Heartbeat] = []
        paths = [str(folder), *more]
        self.options = TailOptions(paths, folder / "lake", Config())
        self.tailer = Tailer(paths, clock=self.clock, notice=lambda *notice: None)
        self.reporter = self.another()

    def another(self) -> Reporter:
        return Reporter(self.options, self.sent.append, self.record, Freshness(self.clock), self.clock)

    def look(self, seconds: float = 0.0) -> Heartbeat:
        """Let time pass, look, and return the newest heartbeat."""
        self.clock.sleep(seconds)
        list(self.tailer.poll())
        self.reporter.tick(self.tailer)
        return self.sent[-1]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, str(tmp_path / "later" / "*.log"))
    yield bench
    bench.tailer.close()


def test_a_heartbeat_every_few_seconds(bench: Bench) -> None:
    for _ in range(100):
        bench.look(0.5)
    assert len(bench.sent) == 50 / EVERY


def test_a_heartbeat_when_the_clock_was_set(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the last heartbeat would seem to be years old."""
    bench.look(EVERY)
    before = len(bench.sent)
    later = bench.clock.monotonic() + 1e9
    monkeypatch.setattr(bench.clock, "now", lambda: later)
    bench.look(AT_LEAST)
    assert [one.at for one in bench.sent[before:]] == [later]


def test_a_heartbeat_soon_after_a_change(bench: Bench) -> None:
    bench.look()
    (bench.folder / "loop.log").symlink_to("loop.log")
    bench.tailer.close()
    bench.tailer = Tailer([str(bench.folder / "loop.log")], clock=bench.clock, notice=lambda *notice: None)
    assert [one.reason for one in bench.look(1.0).unreadable] == ["Too many levels of symbolic links"]
    assert len(bench.sent) == 2
    (bench.folder / "loop.log").unlink()
    bench.look(1.0)
    assert bench.look(1.0).unreadable == () and len(bench.sent) == 3


def test_a_missing_path_appears(bench: Bench) -> None:
    first = bench.look()
    assert [(one.path, one.reason) for one in first.waiting][0] == (
        str(bench.folder),
        "no access logs in this directory",
    )
    (bench.folder / "access.log").touch()
    second = bench.look(EVERY)
    assert [one.path for one in second.waiting] == [str(bench.folder / "later" / "*.log")]
    assert second.waiting[0].since == pytest.approx(first.waiting[1].since), "the time is that of the change"
    assert (second.following, [log.path for log in second.logs]) == (1, [str(bench.folder / "access.log")])


def test_a_log_without_a_format_and_one_of_rejects(bench: Bench) -> None:
    for name in ("a.log", "b.log"):
        (bench.folder / name).write_text("x\n")
    bench.look()
    a, b = sorted(bench.tailer.sources(), key=lambda source: source.path)
    bench.record.refuse(a.id)
    bench.record.add(b.id, 100, 60)
    found = bench.look(1.0).unparsed
    assert [(one.source, one.reason) for one in found] == [
        (a.id, "no known log format matches most of its first lines"),
        (b.id, "60 of its last 100 lines are rejects"),
    ]
    bench.record.add(a.id, 5, 0)
    bench.record.add(b.id, 100, 0)
    assert bench.look(1.0).unparsed == ()


def test_a_missing_log_is_not_reported(bench: Bench) -> None:
    (bench.folder / "a.log").write_text("x\n")
    bench.look()
    bench.record.refuse(bench.tailer.sources()[0].id)
    assert len(bench.look(1.0).unparsed) == 1
    (bench.folder / "a.log").unlink()
    bench.look(40)
    assert bench.look(70).unparsed == ()


def test_another_run_continues_from_the_last_heartbeat(bench: Bench) -> None:
    (bench.folder / "a.log").write_text("x\n")
    bench.look()
    source, since = bench.tailer.sources()[0], bench.clock.now() - 500
    before = replace(
        bench.sent[-1],
        waiting=(LogProblem(str(bench.folder / "later" / "*.log"), "matches no file now", since),),
        unparsed=(LogProblem(source.path, "90 of its last 100 lines are rejects", since, source.id, 100, 90),),
    )
    bench.record = ParseRecord()
    bench.reporter = bench.another()
    bench.reporter.go_on_from(before)
    found = bench.look()
    assert [one.since for one in (*found.waiting, *found.unparsed)] == [pytest.approx(since)] * 2
    bench.reporter.go_on_from(None)


def test_a_run_reports_how_it_ends(bench: Bench) -> None:
    with bench.reporter.of_run(bench.tailer):
        assert bench.sent[-1].ended == 0 and bench.sent[-1].pid == os.getpid()
    assert (bench.sent[-1].ended, bench.sent[-1].failure) == (bench.clock.now(), "")
    with pytest.raises(SourceError), bench.another().of_run(bench.tailer):
        raise SourceError("a.log: it burns", "flee")
    assert bench.sent[-1].failure == "a.log: it burns; flee"
    with pytest.raises(KeyError), bench.another().of_run(bench.tailer, but=KeyError):
        raise KeyError
    assert bench.sent[-1].ended == 0, "another run continues"


def test_the_metrics_of_a_scrape(bench: Bench) -> None:
    (bench.folder / "a.log").write_text("x\n")
    bench.look()
    assert numbers(bench) == {
        "logagg_followed_logs": 1,
        "logagg_unreadable_logs": 0,
        "logagg_unparsed_logs": 0,
        "logagg_waiting_paths": 1,
        "logagg_behind_seconds": 0,
        f"logagg_log_unread_bytes {bench.folder}/a.log": 0,
        f"logagg_log_unread_seconds {bench.folder}/a.log": 0,
    }


def test_how_long_a_log_has_had_unread_bytes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for unread in (0, 2, 5, 0, 1):
        monkeypatch.setattr(bench.tailer, "backlogs", lambda size=unread: {"a": size})
        bench.look(10.0)
        found.append((numbers(bench)["logagg_log_unread_bytes a"], numbers(bench)["logagg_log_unread_seconds a"]))
    assert found == [(0, 0), (2, 0), (5, 10), (0, 0), (1, 0)]


def numbers(bench: Bench) -> dict[str, float]:
    return {" ".join((one.metric.name, *one.labels)): one.value for one in bench.reporter.numbers()}
