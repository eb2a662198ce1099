"""One round: each alert is evaluated at the moments that are due, and what follows is on the disk before a notification is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from logagg.alert import store as stores
from logagg.alert.asking import AT_A_TIME, Questions
from logagg.alert.messages import Notification, Suppression, notify
from logagg.alert.moments import complete_until, due, tails_of
from logagg.alert.probes import OF_ANY_LAKE, look
from logagg.alert.rules import Alert, alerts_of
from logagg.alert.states import Instance, Instances, Reading, advanced, has_changed, written_labels
from logagg.alert.store import AlertRecord, AlertStore
from logagg.clock import Clock
from logagg.config.sections import Config
from logagg.errors import CommitFailed, LimitReached, LogaggError
from logagg.lake_format import LINK
from logagg.notices import (
    Report,
    alert_changed_more,
    alert_failed,
    alert_fires,
    alert_resolved,
    notification_dropped,
)
from logagg.rollup.configured import views_of

NOTICES = 10  # of an alert at a time
CATCH_UP = 60.0  # seconds for the moments that an alert has missed
TIDY = 60.0  # seconds between looks for silences that are over


class Rounds:
    """Evaluates the alerts of a configuration; for the one thread of the one process that has the lease."""

    def __init__(
        self,
        root: Path,
        config: Config,
        store: AlertStore,
        clock: Clock,
        report: Report,
        decided: Callable[[], None] = lambda: None,
    ) -> None:
        """`decided` is called when notifications are written down, so that they need not wait for the other alerts."""
        self._decided = decided
        self._root, self._store, self._clock, self._report = root, store, clock, report
        self._alerts, self._receivers = alerts_of(config), config.receivers
        self._tidied = clock.monotonic()
        self._questions = Questions(root, views_of(config), config)

    def run(self) -> None:
        """Evaluate what is due. Raises CommitFailed: then it is due again."""
        now = self._clock.now()
        until = complete_until(tails_of(self._root, now))
        self._store.settle()
        with self._store.locked() as state:
            state.until = max(state.until, until or 0.0)
        self._forget_removed(until or self._store.state.until or now)
        is_empty = not (self._root / LINK).exists()  # a tail that has just made the lake has not committed yet
        for alert in self._alerts:
            if alert.probe in OF_ANY_LAKE or not is_empty:
                self._watch(alert, now, until)
        if self._clock.monotonic() - self._tidied >= TIDY:
            self._tidied = self._clock.monotonic()
            stores.forget_past(self._root, self._store.state, now)

    def _watch(self, alert: Alert, now: float, until: float | None) -> None:
        """Evaluate one alert; if that fails in an unforeseen way, the others are evaluated all the same."""
        try:
            if alert.probe:
                self._probe(alert, int(now))
            elif until is not None:
                self._catch_up(alert, until)
        except CommitFailed:
            raise
        except Exception as error:
            self._fail(alert, int(now if until is None else until), f"{type(error).__name__}: {error}")

    def _catch_up(self, alert: Alert, until: float) -> None:
        """Evaluate an alert at all moments since its last one; if that takes long, at the last of them only."""
        moments = due(self._record(alert.name).evaluated, alert.every, until)
        size, give_up = AT_A_TIME, self._clock.monotonic() + CATCH_UP
        while moments:
            some = moments[:size]
            if not self._evaluate(alert, some):  # too much at a time
                size = max(1, len(some) // 8)
                continue
            is_late = self._clock.monotonic() > give_up
            moments = moments[-1:] if is_late and len(moments) > len(some) else moments[len(some) :]

    def _evaluate(self, alert: Alert, moments: Sequence[int]) -> bool:
        """Evaluate an alert at some moments, and commit what follows; return False if they are too many for one query."""
        try:
            answers = self._questions.ask(alert, moments)
        except LogaggError as error:
            if isinstance(error, LimitReached) and len(moments) > 1:
                return False
            self._fail(alert, moments[-1], str(error))
        else:
            self._apply(alert, sorted(answers.items()))
        return True

    def _probe(self, alert: Alert, now: int) -> None:
        """Look at what is now: the moments that were missed are past."""
        record = self._record(alert.name)
        if not (moments := due(record.evaluated, alert.every, now)):
            return
        try:
            found = look(alert.probe, self._root, now, alert.window, record.samples)
        except (LogaggError, OSError) as error:
            self._fail(alert, moments[-1], str(error))
        else:
            record.samples = {at: dict(counts) for at, counts in found.samples.items()}
            self._apply(alert, [(moments[-1], found.readings)])

    def _apply(self, alert: Alert, answers: Sequence[tuple[int, Sequence[Reading]]]) -> None:
        now = self._clock.now()
        suppression = Suppression(stores.silences(self._root), stores.acknowledged(self._root), now)
        needs_none = alert.above is None and alert.below is None  # each row that there is fires
        with self._store.locked() as state:
            record, before = self._record(alert.name), self._record(alert.name).instances
            made = list[Notification]()
            for moment, readings in answers:
                after = advanced(alert, record.instances, readings, moment)
                record.instances, more = notify(alert, after, moment, self._receivers, suppression, now)
                record.evaluated, record.has_data, record.error = moment, bool(readings) or needs_none, ""
                made += more
            dropped = {one.receiver for one in made if state.add(one)}
            self._store.commit()
        if made:
            self._decided()
        self._tell(alert, before, record.instances)
        for receiver in sorted(dropped):
            self._report(notification_dropped(receiver, "too many wait for it"))

    def _fail(self, alert: Alert, moment: int, error: str) -> None:
        """Note that an alert could not be evaluated; its instances stay as they are."""
        with self._store.locked():
            record = self._record(alert.name)
            is_new, record.evaluated, record.error = record.error != error, moment, error
            self._store.commit()
        if is_new:
            self._report(alert_failed(alert.name, error))

    def _record(self, name: str) -> AlertRecord:
        return self._store.state.alerts.setdefault(name, AlertRecord())

    def _forget_removed(self, moment: float) -> None:
        """Resolve what fires of alerts that are not configured any more."""
        known = {alert.name for alert in self._alerts}
        for name in [name for name in self._store.state.alerts if name not in known]:
            alert = Alert(name, to=tuple(one.name for one in self._receivers))
            with self._store.locked() as state:
                ended = dict(_ended(state.alerts.pop(name).instances, int(moment)))
                made = notify(alert, ended, int(moment), self._receivers, now=self._clock.now())[1]
                for one in made:
                    state.add(one)
                self._store.commit()

    def _tell(self, alert: Alert, before: Instances, after: Instances) -> None:
        """Give a notice of each instance that has begun to fire, or is resolved; of a few, if there are many."""
        changed = [one for key, one in after.items() if has_changed(before.get(key), one)]
        for one in changed[:NOTICES]:
            said = alert_fires if one.state == "firing" else alert_resolved
            self._report(said(alert.name, written_labels(one.labels), one.message))
        if more := len(changed[NOTICES:]):
            self._report(alert_changed_more(alert.name, more))


def _ended(instances: Instances, moment: int) -> Iterator[tuple[str, Instance]]:
    for key, one in instances.items():
        if one.state == "firing":
            yield key, replace(one, state="resolved", ended=moment, message="not watched any more")
