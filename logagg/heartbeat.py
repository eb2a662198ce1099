"""The heartbeat of a tail: a report of its state every few seconds, the source of `logagg status` for every user.

A heartbeat is JSON in a file beside the lake's catalog, or in a message to a worker.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

LARGEST = 32 << 10  # bytes of a heartbeat in a message
_LEAST = 160  # approximate minimum of bytes per list entry


@dataclass(frozen=True, slots=True)
class LogProblem:
    """A problem with a log or a path, and since when it exists."""

    path: str
    reason: str
    since: float  # seconds since the epoch, by the clock of the tail
    source: str = ""  # the id of the source, if there is one
    lines: int = 0  # number of last lines examined, if the log is mostly rejected
    rejects: int = 0  # how many of these lines were rejected


@dataclass(frozen=True, slots=True)
class FollowedLog:
    """A followed log: its position, and its last known size."""

    source: str
    path: str
    position: int  # decompressed bytes
    size: int  # bytes on disk


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The state of a tail at one moment. Times are seconds since the epoch by its clock; 0: never."""

    tailer: str  # its name in a cluster
    host: str
    pid: int
    lock: int  # modification time of the lake's lock when it took it, in nanoseconds; 0: it does not hold it
    started: float
    at: float
    heard: float = 0.0  # when it was received, by the receiver's clock
    ended: float = 0.0
    failure: str = ""  # why it ended, if it failed
    once: bool = False  # reads its logs once, and ends
    flush: float = 1.0  # seconds between commits
    behind: float = 0.0  # seconds: everything in the logs at that time before now is committed
    stalled: float = 0.0  # seconds that data have waited without a commit
    unread: int = 0  # bytes
    uncommitted: int = 0  # bytes of the logs that were sent to workers, and are not committed
    resent: int = 0  # jobs that were sent to workers again
    version: str = ""  # of logagg
    paths: tuple[str, ...] = ()  # its arguments
    following: int = 0  # logs
    logs: tuple[
        FollowedLog, ...
    ] = ()  # of the logs that it follows, as many as fit, in the order in which they were found
    waiting: tuple[LogProblem, ...] = ()  # paths without a log yet
    unreadable: tuple[LogProblem, ...] = ()
    unparsed: tuple[LogProblem, ...] = ()  # logs that no format fits, or whose lines are mostly rejected
    omitted: int = 0  # number of further logs that did not fit

    @property
    def problems(self) -> tuple[LogProblem, ...]:
        return (*self.unreadable, *self.unparsed)

    def shortened(self, most: int) -> Heartbeat:
        """Return the heartbeat with at most `most` entries in each list."""
        cut: dict[str, Any] = {name: getattr(self, name)[:most] for name in _LISTS}
        omitted = sum(len(getattr(self, name)) - len(cut[name]) for name in _PROBLEMS)
        return replace(self, **cut, omitted=self.omitted + omitted)


_PROBLEMS = ("unreadable", "unparsed")
_LISTS = ("paths", "waiting", *_PROBLEMS)


def encode(heartbeat: Heartbeat) -> str:
    """Return a heartbeat as text."""
    return json.dumps(asdict(heartbeat), separators=(",", ":"))


def encode_short(heartbeat: Heartbeat, largest: int = LARGEST) -> str:
    """Return a heartbeat as text for a message: without the logs, and with as many entries as fit."""
    bare = replace(heartbeat, logs=())
    most = largest // _LEAST
    while len(text := encode(bare.shortened(most)).encode()) > largest and most:
        most //= 2
    return text.decode()


def decode(text: str | bytes) -> Heartbeat:
    """Parse a heartbeat. Raises ValueError."""
    try:
        return _made(Heartbeat, json.loads(text))
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a heartbeat: {error}") from error


def _made(kind: Any, found: Mapping[str, Any]) -> Any:
    """Return an object with the given attributes, checked for their types; missing ones have their defaults."""
    known = {one.name: str(one.type) for one in fields(kind)}
    return kind(**{name: _READ[known[name]](value) for name, value in found.items() if name in known})


def _exactly(*types: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) not in types:
            raise TypeError(f"{value!r} where a {types[0].__name__} should be")
        return types[0](value)

    return read


def _each(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: tuple(map(read, _exactly(list)(values)))


_READ: dict[str, Callable[[Any], Any]] = {
    "str": _exactly(str),
    "int": _exactly(int),
    "float": _exactly(float, int),
    "bool": _exactly(bool),
    "tuple[str, ...]": _each(_exactly(str)),
    "tuple[FollowedLog, ...]": _each(lambda found: _made(FollowedLog, found)),
    "tuple[LogProblem, ...]": _each(lambda found: _made(LogProblem, found)),
}
