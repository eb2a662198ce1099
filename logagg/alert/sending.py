"""Sends the notifications that wait: those to one receiver in their order, each receiver by itself.

A notification is removed from the disk after it was delivered. If the process dies between the two, it is sent once more, with
the same key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from logagg.alert.delivery import Deliver, Undelivered
from logagg.alert.messages import Notification
from logagg.alert.receivers import deliver
from logagg.alert.store import AlertStore
from logagg.clock import Clock
from logagg.config.alerts import NotifyConfig
from logagg.config.sections import Config
from logagg.errors import CommitFailed
from logagg.notices import Report, notification_dropped, notification_waits, notifications_flow

FIRST, LONGEST = 2.0, 300.0  # seconds between attempts
GIVE_UP = 3 * 86_400.0  # seconds after which a notification that cannot be delivered is given up
LAST_MOMENT = 3.0  # seconds for deliveries that run when the process ends
AT_LEAST = 3_600.0  # seconds of attempts before a notification is given up, by the monotonic clock


@dataclass(slots=True)
class Outage:
    """A receiver that cannot be reached. Times by the monotonic clock."""

    since: float
    attempts: int = 0
    again: float = 0.0


class Sender:
    """Delivers the notifications that wait in a store."""

    def __init__(
        self,
        store: AlertStore,
        clock: Clock,
        report: Report,
        reached: Callable[[str], None] = lambda step: None,
        deliver: Deliver = deliver,
    ) -> None:
        self.sent, self.failed = Counter[str](), Counter[str]()
        self._store, self._clock, self._report = store, clock, report
        self._reached, self._deliver = reached, deliver
        self._outages: dict[str, Outage] = {}
        self._pool = ThreadPoolExecutor(16, "notify")
        self._running: dict[str, Future[None]] = {}
        self._stopping = False

    def send(self, config: Config, seconds: float | None = 0) -> None:
        """Begin to send to each receiver with a notification that is due; wait at most `seconds` (None: to the end)."""
        known = {one.name: one for one in config.receivers}
        for name in self._due_receivers(known):
            if (running := self._running.get(name)) is None or running.done():
                self._running[name] = self._pool.submit(self._drain, known[name], config.alerts.url)
        done, _ = wait(self._running.values(), seconds)
        for one in done:
            one.result()

    def stop(self) -> None:
        """Begin nothing more, and wait a moment for what is being sent."""
        self._stopping = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait(self._running.values(), LAST_MOMENT)

    def _due_receivers(self, known: Mapping[str, NotifyConfig]) -> list[str]:
        """Return the receivers that have something due; notifications to a receiver that is not configured are given
        up."""
        with self._store.locked() as state:
            names = dict.fromkeys(one.receiver for one in state.waiting)
            if unknown := [name for name in names if name not in known]:
                state.waiting = [one for one in state.waiting if one.receiver in known]
                self._store.commit()
        for name in unknown:
            self._report(notification_dropped(name, "the receiver no longer exists"))
        now = self._clock.monotonic()
        return [name for name in names if name in known and self._is_due(name, now)]

    def _is_due(self, receiver: str, now: float) -> bool:
        outage = self._outages.get(receiver)
        return outage is None or now >= outage.again

    def _drain(self, receiver: NotifyConfig, url: str) -> None:
        """Send what waits for a receiver, until it cannot be delivered."""
        while not self._stopping and (first := self._store.first(receiver.name)):
            failure = self._attempt(receiver, first, url)
            if failure is None:
                self.sent[receiver.name] += 1
                if self._outages.pop(receiver.name, None):
                    self._report(notifications_flow(receiver.name))
            elif failure.refused or self._is_too_old(first):
                self.failed[receiver.name] += 1
                self._report(notification_dropped(receiver.name, str(failure)))
            else:
                self._put_off(receiver.name, str(failure))
                return
            self._remove(first)

    def _attempt(self, receiver: NotifyConfig, first: Notification, url: str) -> Undelivered | None:
        """Deliver a notification, or return why not."""
        self._reached("sending")
        try:
            self._deliver(receiver, first, url)
        except Undelivered as error:
            return error
        except Exception as error:  # its text may have a secret in it
            return Undelivered(f"internal error: {type(error).__name__}")
        self._reached("sent")
        return None

    def _remove(self, done: Notification) -> None:
        with self._store.locked() as state:
            state.waiting = [one for one in state.waiting if one.id != done.id]
            try:
                self._store.commit()
            except CommitFailed:  # nothing more is sent until it is written
                pass
        self._reached("marked")

    def _is_too_old(self, one: Notification) -> bool:
        outage = self._outages.get(one.receiver)
        tried = self._clock.monotonic() - outage.since if outage else 0.0
        return tried >= AT_LEAST and self._clock.now() - one.made >= GIVE_UP

    def _put_off(self, receiver: str, problem: str) -> None:
        now = self._clock.monotonic()
        outage = self._outages.setdefault(receiver, Outage(now))
        outage.attempts += 1
        outage.again = now + min(LONGEST, FIRST * 2 ** min(outage.attempts - 1, 10))
        if outage.attempts == 1:
            self._report(notification_waits(receiver, problem, self.waiting()[receiver]))

    def waiting(self) -> Counter[str]:
        """Return how many notifications wait, by receiver."""
        with self._store.locked() as state:
            return Counter(one.receiver for one in state.waiting)
