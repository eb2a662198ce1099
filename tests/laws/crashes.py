"""Lakes made of flushes, crashes at a step of a commit, and a check that the next start clears away their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from logagg.clock import ManualClock
from logagg.config.sections import Config, Retention
from tests.laws.feed import Feed, files_of
from tests.laws.logs import AGENTS, CLIENTS, Request

MINUTES = Config(retention=Retention(None, None, None))
COARSER = Config(retention=Retention(86_400, 10 * 86_400, None))


class Crash(BaseException):
    """Ends the code under test as `kill -9` would: no `except Exception` catches it."""


def dies_at(step: str, times: int = 1) -> Callable[[str], None]:
    """Return a crash point that dies when a step is reached for the n-th time."""
    left = [times]

    def reached(name: str) -> None:
        left[0] -= name == step
        if name == step and left[0] == 0:
            raise Crash

    return reached


def lines(number: int, start: int = 0) -> bytes:
    """Return some lines, each in its own minute, of three kinds: a page, a click, or garbage."""
    agents, made = list(AGENTS), []
    for n in range(start, start + number):
        target, status = (("/tea", 200), ("/click?ad=1&campaign=spring", 302), ("/gone", 404))[n % 3]
        made.append(
            Request(n * 20, CLIENTS[n % 4], agents[n % 3], target, status=status).line("plain") if n % 7 else "garbage"
        )
    return "".join(f"{line}\n" for line in made).encode()


def flushed(root: Path, clock: ManualClock, config: Config, times: int, kind: type[Feed] = Feed) -> bytes:
    """Make a lake with a number of flushes; return the log that it was read from."""
    log, feed = b"", kind(root, clock, config)
    for n in range(times):
        log += lines(5, 5 * n)
        feed.flush(log)
    feed.close()
    return log


def assert_clears_away(root: Path, clock: ManualClock) -> None:
    """After the grace, only files of the live catalog and the previous catalog are left; until then readers may use the others."""
    clock.sleep(MINUTES.lake.grace + 61)
    Feed(root, clock, MINUTES).close()
    named, there = files_of(root)
    [live] = (path for path in named if path.startswith("catalog/"))
    assert named <= there
    assert [path for path in there - named if not (path.startswith("catalog/") and path < live)] == []
    assert len(there - named) <= 1
    assert list(root.glob(".*")) == []
