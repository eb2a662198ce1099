"""Examines alerts: whether their queries run, their state can be read, and the secrets of their receivers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from logagg.alert import store
from logagg.alert.asking import Questions
from logagg.alert.delivery import Undelivered, secret
from logagg.alert.rules import alerts_of
from logagg.config.sections import Config
from logagg.errors import LakeError, LogaggError
from logagg.rollup.configured import views_of

SECRETS = ("url", "token", "password")


def problems(config: Config, root: Path, now: float, *, is_there: bool) -> Iterator[str]:
    """Yield the problems; queries run if the lake `is_there`."""
    try:
        store.read(root)
    except LakeError as error:
        yield str(error)
    for receiver in config.receivers:
        for key in SECRETS:
            try:
                secret(receiver, key)
            except Undelivered as error:
                yield str(receiver.place.error(f"{key}_file", str(error)))
    if is_there:
        yield from _queries(config, root, int(now))


def _queries(config: Config, root: Path, now: int) -> Iterator[str]:
    questions = Questions(root, views_of(config), config)
    for written, alert in zip(config.watched, alerts_of(config), strict=True):
        try:
            if alert.query:
                questions.ask(alert, [now])
        except LogaggError as error:
            yield str(written.place.error("query" if written.query else "name", str(error)))
