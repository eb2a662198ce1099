"""The states of all alerts and the notifications that wait, on the disk: in the folder `alerts/` of a lake.

    state.json           what the process with the lease `alerts` has decided, and what of that is not sent yet
    silences/ID.json     a silence, by `logagg alert silence`
    acks/ID-TIME.json    an acknowledgement, by `logagg alert ack`

`state.json` is replaced as a whole, by one rename: a change of state and the notification of it are on the disk together,
or neither is. Its first line is a digest of the rest. The other files are written once, and deleted when they are over.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

from logagg.alert.messages import ListedAlert, Notification
from logagg.alert.states import Instance
from logagg.errors import LakeError
from logagg.lake.digests import digest_of_bytes
from logagg.lake.durable import failing_as_commit, make_directory, remove, replace_text
from logagg.lake_format import ALERTS, ALERTS_STATE

SILENCES, ACKS = "silences", "acks"
_PURPOSE = "logagg alerts"  # of the digest
MOST_WAITING = 10_000  # alerts in notifications to one receiver


@dataclass(slots=True)
class AlertRecord:
    """The state of one alert."""

    evaluated: int = 0  # the last moment, in seconds; 0: never
    has_data: bool = False  # the last answer had rows, or needs none
    error: str = ""  # why its last evaluation failed
    instances: dict[str, Instance] = field(default_factory=dict)
    samples: dict[int, dict[str, tuple[int, int]]] = field(default_factory=dict)  # of a probe


@dataclass(slots=True)
class AlertsState:
    """All that is decided, and not forgotten yet."""

    alerts: dict[str, AlertRecord] = field(default_factory=dict)
    waiting: list[Notification] = field(default_factory=list)  # in the order in which they are to be sent
    until: float = 0.0  # the data's time at the last evaluation

    def add(self, made: Notification) -> bool:
        """Let a notification wait, unless it only repeats one that waits; return whether others were dropped for it."""
        if made.why == "repeat" and any((one.receiver, one.key) == (made.receiver, made.key) for one in self.waiting):
            return False
        self.waiting.append(made)
        return self._drop_excess(made.receiver)

    def _drop_excess(self, receiver: str) -> bool:
        """Drop notifications beyond the limit of a receiver: those of the alert with the most, so that others are
        delivered."""
        same = [one for one in self.waiting if one.receiver == receiver]
        excess, sizes = sum(len(one.alerts) for one in same) - MOST_WAITING, Counter[str]()
        if excess <= 0:
            return False
        for one in same:
            sizes[one.alert] += len(one.alerts)
        [(loudest, _)] = sizes.most_common(1)
        for one in [one for one in same if one.alert == loudest]:
            if excess > 0:
                self.waiting.remove(one)
                excess -= len(one.alerts)
        return True


@dataclass(frozen=True, slots=True)
class Silence:
    """Notifications of an alert are held back for a while; of the instances that have these labels. Seconds."""

    id: str
    alert: str
    labels: Mapping[str, str]
    since: float
    until: float
    reason: str = ""
    by: str = ""

    def holds(self, alert: str, labels: Mapping[str, str], moment: float) -> bool:
        """Tell whether it holds back an instance at a moment."""
        is_on = alert == self.alert and self.since <= moment < self.until
        return is_on and all(labels.get(name) == value for name, value in self.labels.items())


class AlertStore:
    """The state on the disk and in memory, for the threads of the one process that has the lease."""

    def __init__(self, root: Path, reached: Callable[[str], None] = lambda step: None) -> None:
        """Read the state. `reached` is called at each step of a write: tests die there. Raises LakeError."""
        self._root, self._reached = root, reached
        self._lock, self._is_closed = RLock(), False
        self._is_written = True
        self.state = read(root)

    @contextmanager
    def locked(self) -> Iterator[AlertsState]:
        """Hold the state; no other thread changes it meanwhile."""
        with self._lock:
            yield self.state

    def commit(self) -> None:
        """Write the state: its decisions take effect from now on. Raises CommitFailed; then it is written by the next
        commit."""
        with self._lock:
            if self._is_closed:
                return
            self._is_written = False
            self._reached("decided")
            with failing_as_commit(self._root):
                make_directory(self._root / ALERTS)
                replace_text(self._root / ALERTS / ALERTS_STATE, _packed(self.state))
            self._is_written = True
            self._reached("committed")

    def settle(self) -> None:
        """Write what a commit before could not. Raises CommitFailed."""
        if not self._is_written:
            self.commit()

    def first(self, receiver: str) -> Notification | None:
        """Return the next notification to a receiver, if the decision to send it is on the disk."""
        with self._lock:
            waiting = self.state.waiting if self._is_written else []
            return next((one for one in waiting if one.receiver == receiver), None)

    def close(self) -> None:
        """Write nothing more: another process may have the lease from now on."""
        with self._lock:
            self._is_closed = True


def read(root: Path) -> AlertsState:
    """Return the state of a lake's alerts. Raises LakeError."""
    path = root / ALERTS / ALERTS_STATE
    try:
        return _unpacked(path.read_bytes())
    except FileNotFoundError:
        return AlertsState()
    except OSError as error:
        raise LakeError(f"{path}: {error.strerror}", "run it as the lake's owner, or as a user of its group") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        hint = "delete it: alerts that fire now are then sent once more"
        raise LakeError(f"{path}: cannot be read: {error}", hint) from None


def _packed(state: AlertsState) -> str:
    text = json.dumps(asdict(state))
    return f"{digest_of_bytes(text.encode(), _PURPOSE)}\n{text}"


def _unpacked(data: bytes) -> AlertsState:
    digest, _, text = data.partition(b"\n")
    if digest != digest_of_bytes(text, _PURPOSE).encode():
        raise ValueError("it is not as it was written")
    found = json.loads(text)
    alerts = {name: _record(one) for name, one in found["alerts"].items()}
    return AlertsState(alerts, [_notification(one) for one in found["waiting"]], found["until"])


def _record(found: Mapping[str, Any]) -> AlertRecord:
    instances = {key: Instance(**one) for key, one in found["instances"].items()}
    samples = {int(at): {log: (one[0], one[1]) for log, one in of.items()} for at, of in found["samples"].items()}
    return AlertRecord(found["evaluated"], found["has_data"], found["error"], instances, samples)


def _notification(found: Mapping[str, Any]) -> Notification:
    return Notification(**{**found, "alerts": [ListedAlert(**one) for one in found["alerts"]]})


# silences and acknowledgements


def silence(root: Path, wanted: Silence) -> None:
    """Begin a silence. Raises CommitFailed."""
    _write(root, SILENCES, wanted.id, asdict(wanted))


def new_id() -> str:
    return secrets.token_hex(8)


def end_silence(root: Path, name: str) -> bool:
    """End a silence; return whether there was one."""
    known = {one.id for one in silences(root)}
    if name in known:
        remove([root / ALERTS / SILENCES / f"{name}.json"])
    return name in known


def silences(root: Path) -> list[Silence]:
    """Return the silences, also those that are over and not deleted yet."""
    found = list[Silence]()
    for one in _all(root, SILENCES):
        with suppress(TypeError):
            found.append(Silence(**one))
    return found


def acknowledge(root: Path, fingerprint: str, fired: int, by: str) -> None:
    """Acknowledge an alert. Raises CommitFailed."""
    content = {"fingerprint": fingerprint, "fired": fired, "by": by}
    _write(root, ACKS, f"{fingerprint}-{fired}", content)


def acknowledged(root: Path) -> frozenset[tuple[str, int]]:
    return frozenset((str(one.get("fingerprint")), int(one.get("fired") or 0)) for one in _all(root, ACKS))


def forget_past(root: Path, state: AlertsState, now: float) -> None:
    """Delete silences and acknowledgements that are over."""
    remove(root / ALERTS / SILENCES / f"{one.id}.json" for one in silences(root) if one.until <= now - _KEPT)
    firing = {(key, one.fired) for record in state.alerts.values() for key, one in record.instances.items()}
    over = acknowledged(root) - firing
    remove(root / ALERTS / ACKS / f"{fingerprint}-{fired}.json" for fingerprint, fired in over)


_KEPT = 86_400  # seconds that a silence is kept after its end: moments that are caught up with may lie in it


def _write(root: Path, folder: str, name: str, content: Mapping[str, Any]) -> None:
    with failing_as_commit(root):
        make_directory(root / ALERTS / folder)
        replace_text(root / ALERTS / folder / f"{name}.json", json.dumps(content))


def _all(root: Path, folder: str) -> Sequence[Mapping[str, Any]]:
    """Return the content of the files of a folder; one that cannot be read says nothing."""
    found = []
    for path in sorted((root / ALERTS / folder).glob("*.json")):
        with suppress(OSError, ValueError):
            if isinstance(content := json.loads(path.read_bytes()), dict):
                found.append(content)
    return found
