"""Failures of the disk: each raises CommitFailed, changes nothing, leaves no files, and the same commit succeeds later."""

from __future__ import annotations

import errno
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from logagg.clock import ManualClock
from logagg.config.sections import Config, Retention
from logagg.errors import CommitFailed
from logagg.lake import commit, parts
from logagg.lake.digests import DigestWriter
from tests.laws.crashes import flushed, lines
from tests.laws.feed import SOURCE, Feed, Sharer, assert_holds, files_of, position

MINUTES = Config(retention=Retention(None, None, None))
CALLS = {
    "fsync": (os, "fsync"),
    "rename": (os, "replace"),
    "link": (os, "symlink"),
    "write": (DigestWriter, "write"),
}

PERIOD = 84  # lines after which the sequence of kinds repeats, so that all commits write the same parts


class Refusing:
    """A system call that fails from its n-th call on, until it is repaired."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, code: int, after: int) -> None:
        owner, attribute = CALLS[name]
        self.calls, self._after = 0, after
        original = getattr(owner, attribute)

        def call(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls > self._after:
                raise OSError(code, os.strerror(code))
            return original(*arguments, **options)

        monkeypatch.setattr(owner, attribute, call)

    def mend(self) -> None:
        self._after = 1 << 60


def calls_of_a_commit(monkeypatch: pytest.MonkeyPatch, name: str, kind: type[Feed], folder: Path) -> int:
    with monkeypatch.context() as patch:
        feed = kind(folder, ManualClock(time.time()), MINUTES, shards=1)
        feed.flush(lines(9))  # creates the directories
        counting = Refusing(patch, name, 0, 1 << 60)
        feed.flush(lines(9) + lines(9, PERIOD))
        feed.close()
        return counting.calls


def some_of(number: int) -> list[int]:
    """Return after how many calls a call fails: all numbers, or some of many."""
    return sorted({*range(0, number, 1 + number // 6), number - 1})


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "io-error"])
@pytest.mark.parametrize("name", list(CALLS))
@pytest.mark.parametrize("kind", [Feed, Sharer], ids=["alone", "shared"])
def test_a_flush_that_the_disk_refuses(
    kind: type[Feed], name: str, code: int, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = calls_of_a_commit(monkeypatch, name, kind, tmp_path / "other")
    assert number, "a commit makes the call that fails"
    clock, log = ManualClock(time.time()), lines(9)
    # One shard, since each lake has its own secret, and so divides the visitors differently among shards.
    feed = kind(root, clock, MINUTES, shards=1)
    feed.flush(log)
    for after in some_of(number):
        before, there = len(log), files_of(root)[1]
        log += lines(9, PERIOD * (after + 1))
        deltas = feed.drain(log)
        with monkeypatch.context() as patch:
            disk = Refusing(patch, name, code, after)
            with pytest.raises(CommitFailed, match=str(root)):
                feed.lake.commit(deltas, [SOURCE])
            moved = name == "fsync" and after == number - 1  # the link is moved, but the move may not be durable
            assert position(root) == (len(log) if moved else before)
            assert_holds(root, log)
            assert moved or files_of(root)[1] == there
            disk.mend()
            feed.lake.commit(deltas, [SOURCE])
        assert position(root) == len(log)
        assert_holds(root, log)
    feed.close()


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let the kernel refuse writes that make a file larger, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_commit_whose_write_the_kernel_refuses_changes_nothing(root: Path) -> None:
    clock, log = ManualClock(time.time()), lines(300)
    feed = Feed(root, clock, MINUTES)
    feed.flush(log)
    refused = 0
    for number, size in enumerate((100, 1000, 4000, 9000, 40_000, 160_000, 250_000)):
        before, there = len(log), files_of(root)[1]
        log += lines(300, 1000 * (number + 1))
        deltas = feed.drain(log)
        try:
            with files_no_larger_than(size):
                feed.lake.commit(deltas, [SOURCE])
        except CommitFailed:
            refused += 1
            assert position(root) == before
            assert files_of(root)[1] == there
            assert_holds(root, log)
            feed.lake.commit(deltas, [SOURCE])
        assert position(root) == len(log)
        assert_holds(root, log)
    feed.close()
    assert refused >= 4


@pytest.mark.parametrize("name", list(CALLS))
def test_a_merge_that_the_disk_refuses(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(time.time())
    log = flushed(root, clock, MINUTES, 2)
    feed = Feed(root, clock, MINUTES)
    there = files_of(root)[1]
    with monkeypatch.context() as patch:
        Refusing(patch, name, errno.ENOSPC, 0)
        with pytest.raises(CommitFailed, match="nothing is lost"):
            feed.lake.compact_all()
    assert files_of(root)[1] == there
    assert feed.lake.compact_all()
    feed.close()
    assert_holds(root, log)


class Order:
    """Records syncs and moves, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.happened: list[tuple[str, str]] = []
        fsync, move = os.fsync, os.replace

        def noted_fsync(descriptor: int) -> None:
            self.happened.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
            fsync(descriptor)

        def noted_replace(source: Any, target: Any) -> None:
            self.happened.append(("move", str(target)))
            move(source, target)

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(os, "replace", noted_replace)

    def check(self, root: Path, new: set[str]) -> None:
        """All files behind the new link are on the disk before it is moved, and so is the move afterwards."""
        moved = self.happened.index(("move", str(root / "logagg.duckdb")))
        earlier, later = self.happened[:moved], self.happened[moved + 1 :]
        for path in (root / name for name in new):
            assert ("sync", str(path)) in earlier, f"{path} is on the disk"
            written, listed = earlier.index(("sync", str(path))), last(earlier, ("sync", str(path.parent)))
            assert written < listed, f"{path} is on the disk before its directory is"
        assert ("sync", str(root)) in later, "the move is on the disk"


def last(items: list[tuple[str, str]], item: tuple[str, str]) -> int:
    return len(items) - 1 - items[::-1].index(item) if item in items else -1


def one_commit(root: Path, act: Callable[[Feed], object], monkeypatch: pytest.MonkeyPatch) -> tuple[Order, set[str]]:
    feed = Feed(root, ManualClock(time.time()), MINUTES)
    before = files_of(root)[1]
    order = Order(monkeypatch)
    act(feed)
    feed.close()
    return order, files_of(root)[0] - before


def test_the_files_of_a_flush_are_on_the_disk_before_they_are_visible(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, new = one_commit(root, lambda feed: feed.flush(lines(9)), monkeypatch)
    assert len(new) > 5
    order.check(root, new)


@pytest.mark.parametrize("module", [commit, parts], ids=["the commit's", "the parts'"])
def test_without_a_sync_the_order_is_not_kept(module: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sync", lambda path: None)
    order, new = one_commit(root, lambda feed: feed.flush(lines(9)), monkeypatch)
    with pytest.raises(AssertionError, match="is on the disk"):
        order.check(root, new)


def test_the_files_of_a_merge_are_on_the_disk_before_they_are_visible(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed(root, ManualClock(time.time()), MINUTES, 2)
    feed = Feed(root, ManualClock(time.time()), MINUTES)
    task, *_ = feed.lake._planner.everything(feed.lake.state)
    before, order = files_of(root)[1], Order(monkeypatch)
    feed.lake.commit_replacement(task.run())
    feed.close()
    order.check(root, files_of(root)[0] - before)
