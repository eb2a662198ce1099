"""Alerts beside a tail or a worker: one thread evaluates, others send, and whatever fails there is a notice.

Of all processes at a lake the one that holds the lease `alerts` does it; the others wait until it is free.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from logagg.clock import Clock
from logagg.config.sections import Config
from logagg.errors import LakeLocked, LogaggError
from logagg.lake import locks
from logagg.lake_format import ALERTS, ALERTS_STATE
from logagg.metrics import ALERT_FAILED, ALERTS_FIRING, GIVEN_UP, NOTIFICATIONS_WAITING, SENT, Sample
from logagg.notices import Report, alerts_failed, configuration_refused, configuration_reloaded

if TYPE_CHECKING:  # imported where they are used: most tails have no alerts
    from logagg.alert.evaluation import Rounds
    from logagg.alert.sending import Sender
    from logagg.alert.store import AlertStore

LEASE = "alerts"
LOOK = 1.0  # seconds between looks for what is due
AGAIN = 30.0  # seconds after a failure
PATIENCE = 5.0  # seconds at the end for a query that runs
LAST_WORD = 10.0  # seconds for sending at the end of a run that ends by itself


class AlertService:
    """Evaluates and sends, in threads of its own, from `start` to `stop`."""

    def __init__(self, root: Path, config: Config, clock: Clock, report: Report, *, alone: bool = True) -> None:
        """`alone`: no other process has another configuration for this lake, so alerts that it does not name are
        over."""
        self._alone = alone
        self._root, self._clock, self._report = root, clock, report
        self._config = config
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._store: AlertStore | None = None
        self._sender: Sender | None = None
        self._made: tuple[Config, Rounds] | None = None
        self._problem = ""

    def start(self, *, always: bool = False) -> None:
        """Start, if there is anything to do with this configuration."""
        if self._thread is None and (always or self._is_wanted()):
            self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
            self._thread.start()

    def adopt(self, config: Config) -> None:
        """Go on with a new configuration, from the next round on."""
        self._config = config
        self.start()

    def reload(self, read: Callable[[], Config]) -> None:
        """Read the configuration again; keep the old one if that fails."""
        try:
            self.adopt(read())
        except LogaggError as error:
            self._report(configuration_refused(str(error)))
        else:
            self._report(configuration_reloaded())

    @contextmanager
    def running(self, *, once: bool) -> Iterator[None]:
        """Evaluate and send in the `with` block; or, beside a run that ends by itself, once after it."""
        if not once:
            self.start()
        try:
            yield
        finally:
            self.stop()
        if once and self._is_wanted():
            try:
                run_once(self._root, self._config, self._clock, self._report)
            except (LogaggError, OSError) as error:
                self._fail(str(error))

    def stop(self) -> None:
        """End; a query that takes longer than a moment ends with the process, and is asked again by the next one."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(PATIENCE)
        if self._store is not None:
            self._store.close()

    def numbers(self) -> Iterator[Sample]:
        """Return the samples for a scrape."""
        known = self._store.state.alerts if self._store else {}
        for alert in self._config.watched:
            record = known.get(alert.name)
            instances = list(record.instances.values()) if record else []
            yield ALERTS_FIRING.of(sum(one.state == "firing" for one in instances), alert.name)
            yield ALERT_FAILED.of(bool(record and record.error), alert.name)
        sender, receivers = self._sender, [one.name for one in self._config.receivers]
        yield from SENT.each(sender.sent if sender else {}, receivers)
        yield from GIVEN_UP.each(sender.failed if sender else {}, receivers)
        yield from NOTIFICATIONS_WAITING.each(sender.waiting() if sender else {}, receivers)

    def _is_wanted(self) -> bool:
        """Return whether there are alerts, or there were some."""
        return bool(self._config.watched) or (self._alone and (self._root / ALERTS / ALERTS_STATE).exists())

    def _run(self) -> None:
        lease = None
        while not self._stopping.is_set() and lease is None:
            lease = self._lease()
            if lease is None:
                self._stopping.wait(LOOK)
        try:
            while not self._stopping.is_set():
                self._stopping.wait(LOOK if self._round() else AGAIN)
        finally:
            if self._sender and self._store:
                self._sender.stop()
                self._store.close()
            if lease is not None:
                os.close(lease)

    def _lease(self) -> int | None:
        try:
            return locks.lease(self._root, LEASE)
        except (LogaggError, OSError) as error:
            self._fail(str(error))
            return None

    def _round(self) -> bool:
        """Evaluate and send what is due; return whether that went well."""
        try:
            from logagg.alert.evaluation import Rounds
            from logagg.alert.sending import Sender
            from logagg.alert.store import AlertStore

            if self._store is None or self._sender is None:
                self._store = AlertStore(self._root)
                self._sender = Sender(self._store, self._clock, self._report)
            config = self._config
            if self._made is None or self._made[0] is not config:
                send = partial(self._sender.send, config)
                self._made = config, Rounds(self._root, config, self._store, self._clock, self._report, send)
            try:
                self._made[1].run()
            finally:
                self._sender.send(config)
        except Exception as error:  # no failure of an alert ends a tail
            self._fail(str(error) if isinstance(error, LogaggError) else f"{type(error).__name__}: {error}")
            return False
        self._problem = ""
        return True

    def _fail(self, problem: str) -> None:
        if problem != self._problem:
            self._report(alerts_failed(problem))
        self._problem = problem


def _taken(root: Path) -> LakeLocked:
    pid = locks.holders(root).get(LEASE, "?")
    return LakeLocked(f"{root}: process {pid} evaluates its alerts", "a running tail does that by itself")


def run_once(root: Path, config: Config, clock: Clock, report: Report) -> None:
    """Evaluate what is due, and send what waits, once. Raises LakeLocked if another process does that; LogaggError."""
    from logagg.alert.evaluation import Rounds
    from logagg.alert.sending import Sender
    from logagg.alert.store import AlertStore

    lease = locks.lease(root, LEASE)
    if lease is None:
        raise _taken(root)
    try:
        store = AlertStore(root)
        sender = Sender(store, clock, report)
        Rounds(root, config, store, clock, report).run()
        sender.send(config, LAST_WORD)
        sender.stop()
        store.close()
    finally:
        os.close(lease)


def run_alone(
    root: Path, read: Callable[[], Config], clock: Clock, report: Report, request: Callable[[float], str | None]
) -> None:
    """Evaluate and send until a request says "stop"; at "reload" read the configuration again. Raises LogaggError."""
    if locks.is_leased(root, LEASE):
        raise _taken(root)
    service = AlertService(root, read(), clock, report)
    service.start(always=True)
    try:
        while (asked := request(LOOK)) != "stop":
            if asked == "reload":
                service.reload(read)
    finally:
        service.stop()
