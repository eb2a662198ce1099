"""How a tail does, as it says itself every few seconds: `logagg status` believes that, whoever asks.

A heartbeat is text (JSON) in a file beside the lake's catalog, or in a message to a worker.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

LARGEST = 32 << 10  # bytes of one that travels
_LEAST = 160  # bytes that an entry of a list takes at least, about


@dataclass(frozen=True, slots=True)
class LogProblem:
    """What is wrong with a log, or a path, and since when."""

    path: str
    reason: str
    since: float  # seconds since the epoch, by the clock of the tail
    source: str = ""  # its id, where there is one
    lines: int = 0  # the last ones, of a log that is mostly rejected,
    rejects: int = 0  # and how many of them are


@dataclass(frozen=True, slots=True)
class FollowedLog:
    """A log that is followed: how far it was read, and how large it was found."""

    source: str
    path: str
    position: int  # decompressed bytes
    size: int  # bytes on disk


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A tail at one moment. Times are seconds since the epoch by its clock; 0 is never."""

    tailer: str  # its name in a cluster
    host: str
    pid: int
    lock: int  # when it took the lake's lock, as the lock says, in nanoseconds; 0: it has none
    started: float
    at: float
    heard: float = 0.0  # when it came, by the clock of who wrote it down
    ended: float = 0.0
    failure: str = ""  # why it ended, if it did not end well
    once: bool = False  # reads all there is, and ends
    flush: float = 1.0  # seconds between commits
    behind: float = 0.0  # seconds: all that was in the logs so long ago is committed
    stalled: float = 0.0  # seconds that something has waited and nothing was committed
    unread: int = 0  # bytes
    paths: tuple[str, ...] = ()  # as asked for
    following: int = 0  # logs
    logs: tuple[FollowedLog, ...] = ()  # those logs, or the first of many
    waiting: tuple[LogProblem, ...] = ()  # paths that mean no log yet
    unreadable: tuple[LogProblem, ...] = ()
    unparsed: tuple[LogProblem, ...] = ()  # logs that no format fits, or whose lines are mostly rejected
    omitted: int = 0  # of these logs, so many more that there was no room for

    @property
    def problems(self) -> tuple[LogProblem, ...]:
        return (*self.unreadable, *self.unparsed)

    def shortened(self, most: int) -> Heartbeat:
        """Return it with no more than so many entries in each list."""
        cut: dict[str, Any] = {name: getattr(self, name)[:most] for name in _LISTS}
        omitted = sum(len(getattr(self, name)) - len(cut[name]) for name in _PROBLEMS)
        return replace(self, **cut, omitted=self.omitted + omitted)


_PROBLEMS = ("unreadable", "unparsed")
_LISTS = ("paths", "waiting", *_PROBLEMS)


def encode(heartbeat: Heartbeat) -> str:
    """Return a heartbeat as text."""
    return json.dumps(asdict(heartbeat), separators=(",", ":"))


def encode_short(heartbeat: Heartbeat, largest: int = LARGEST) -> str:
    """Return a heartbeat as text for a message: without the logs, and with as many entries as there is room for."""
    bare = replace(heartbeat, logs=())
    most = largest // _LEAST
    while len(text := encode(bare.shortened(most)).encode()) > largest and most:
        most //= 2
    return text.decode()


def decode(text: str | bytes) -> Heartbeat:
    """Return the heartbeat that a text is. Raises ValueError for any other."""
    try:
        return _made(Heartbeat, json.loads(text))
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a heartbeat: {error}") from error


def _made(kind: Any, found: Mapping[str, Any]) -> Any:
    """Return an object with the attributes found, each of its type; those that are not there have their defaults."""
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
