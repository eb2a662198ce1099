"""Interprets the heartbeats of tails: which run, which have ended and when, and their problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from logagg.heartbeat import Heartbeat, LogProblem
from logagg.quantities import counted

PATIENCE = 30.0  # seconds that a tail may be silent, or may have waiting data without a commit

TailState = Literal["running", "ended", "lost"]  # lost: silent without having ended


@dataclass(frozen=True, slots=True)
class TailHealth:
    """A tail, by its last heartbeat."""

    state: TailState
    age: float  # seconds since the heartbeat
    heartbeat: Heartbeat

    @property
    def name(self) -> str:
        return self.heartbeat.tailer

    def for_seconds(self, since: float) -> float:
        """Return for how long a reported condition has lasted."""
        return max(0.0, self.heartbeat.at - since) + self.age

    def as_dict(self) -> dict[str, Any]:
        return {"state": self.state, "age": self.age, **asdict(self.heartbeat)}


def of_writer(heartbeat: Heartbeat, now: float, *, holds_lock: bool | None) -> TailHealth:
    """Judge the tail that writes a lake itself: it runs as long as it holds the lock, which ends with its process.

    If the lock is not accessible to this user, a recent heartbeat is sufficient.
    """
    age = max(0.0, now - heartbeat.heard)
    runs = holds_lock or (holds_lock is None and age <= PATIENCE)
    return TailHealth("ended" if heartbeat.ended else "running" if runs else "lost", age, heartbeat)


def of_remote(heartbeat: Heartbeat, now: float) -> TailHealth:
    """Judge a remote tail: it runs as long as its heartbeats arrive."""
    age = max(0.0, now - heartbeat.heard)
    return TailHealth("ended" if heartbeat.ended else "running" if age <= PATIENCE else "lost", age, heartbeat)


def describe(tail: TailHealth) -> str:
    """Describe a tail in a sentence."""
    ago = f"{tail.age:,.0f} s ago"
    if tail.state == "running":
        return f"a tail is running, process {tail.heartbeat.pid}"
    if tail.state == "lost":
        return f"no tail is running, the last one did not end by itself (last heartbeat {ago})"
    failure = f": {tail.heartbeat.failure}" if tail.heartbeat.failure else ""
    return f"no tail is running, the last ended {ago}{failure}"


def waiting(tail: TailHealth) -> Iterator[str]:
    """Report paths that a tail waits for, which is not a problem."""
    for one in tail.heartbeat.waiting:
        yield f"{_named(tail, one)}: {one.reason}, for {tail.for_seconds(one.since):,.0f} s"


def problems(tail: TailHealth) -> Iterator[str]:
    """Report the problems of a tail: logs that it cannot read or parse, and a lack of progress.

    A remote tail that has ended may be decommissioned, so it has no problems.
    """
    if tail.name and tail.state == "ended":
        return
    for one in tail.heartbeat.unreadable:
        yield f"{_named(tail, one)}: {one.reason}, for {tail.for_seconds(one.since):,.0f} s; {_remedy(one)}"
    for one in tail.heartbeat.unparsed:
        yield f"{_named(tail, one)}: {one.reason}, for {tail.for_seconds(one.since):,.0f} s; {_format_hint(one)}"
    if tail.heartbeat.omitted:
        yield f"{_who(tail)}{tail.heartbeat.omitted:,} more logs cannot be read or parsed"
    if tail.state == "running":
        yield from _standstill(tail)


def _standstill(tail: TailHealth) -> Iterator[str]:
    """Report that a running tail makes no progress."""
    patience = PATIENCE + 2 * tail.heartbeat.flush
    if tail.age > PATIENCE:
        yield f"{_who(tail)}a tail runs (process {tail.heartbeat.pid}), but its last heartbeat is {tail.age:,.0f} s old"
    elif tail.heartbeat.stalled > patience:
        unread = (
            f"{counted(tail.heartbeat.unread, 'byte is', 'bytes are')} unread" if tail.heartbeat.unread else "data wait"
        )
        stalled = tail.heartbeat.stalled + tail.age
        yield f"{_who(tail)}a tail runs, {unread}, but nothing was committed for {stalled:,.0f} s"


def silent(tail: TailHealth) -> Iterator[str]:
    """Report that a remote tail has fallen silent with bytes unread."""
    if tail.name and tail.state == "lost" and tail.heartbeat.unread:
        yield f"{_who(tail)}no heartbeat for {tail.age:,.0f} s; {counted(tail.heartbeat.unread, 'byte was', 'bytes were')} unread"


def too_old(tails: Iterable[TailHealth], max_age: float) -> Iterator[str]:
    """Report tails without a heartbeat for `max_age` seconds, or with uncommitted lines older than that.

    Tails that ended without failure count only if there is no other tail: a web server may be decommissioned.
    """
    tails = list(tails)
    left = [one for one in tails if one.state != "ended" or one.heartbeat.failure]
    for one in left or sorted(tails, key=lambda one: one.age)[:1]:
        if one.age > max_age:
            yield f"{_who(one)}no heartbeat of a tail for {one.age:,.0f} s"
        elif one.state == "running" and one.heartbeat.behind + one.age > max_age:
            yield f"{_who(one)}not all lines written up to {one.heartbeat.behind + one.age:,.0f} s ago are committed"


def _who(tail: TailHealth) -> str:
    return f"tailer {tail.name}: " if tail.name else ""


def _named(tail: TailHealth, one: LogProblem) -> str:
    return f"{tail.name}:{one.path}" if tail.name else one.path


def _remedy(one: LogProblem) -> str:
    """Return the remedy for a log that cannot be read."""
    reason = one.reason.lower()
    if "permission denied" in reason:
        return "give the tail's user permission to read it (often by group adm)"
    if reason.startswith("corrupt"):
        return "replace it by an intact file, or remove it"
    if "too many open files" in reason:
        return "raise the limit on open files"
    return "logagg check PATH says more"


def _format_hint(one: LogProblem) -> str:
    if one.lines:
        return "the table reject_samples shows some; no known format matches them, so say theirs with --log-format"
    return "say it with --log-format"
