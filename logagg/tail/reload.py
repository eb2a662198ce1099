"""Another configuration for a tail that runs (SIGHUP)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from logagg.config.sections import SETTINGS, Config
from logagg.errors import LogaggError
from logagg.notice_log import Notices
from logagg.notices import configuration_refused, configuration_unchanged, settings_need_restart

# Of [tail]: what the tailer and the shards are made with, for as long as they live.
FIXED = ("shards", "memory", "chunk", "max_line", "idle", "forget", "begin")


def reloaded(
    read: Callable[[], Config], before: Config, attempt: Callable[[Config], object], notices: Notices
) -> Config | None:
    """Read the configuration again; None, and a notice, where an attempt at it fails or it says nothing new."""
    try:
        config, waiting = kept(read(), before)
        attempt(config)
    except LogaggError as error:
        notices.report(configuration_refused(str(error)))
        return None
    if waiting:
        notices.report(settings_need_restart(waiting))
    if config == before:
        notices.report(configuration_unchanged())
        return None
    return config


def kept(new: Config, old: Config) -> tuple[Config, list[str]]:
    """Return a new configuration without what can only change at a restart, and the keys of that."""
    waiting = [
        one.key
        for one in SETTINGS
        if one.section == "tail" and one.field in FIXED and getattr(new.tail, one.field) != getattr(old.tail, one.field)
    ]
    tail = replace(new.tail, **{name: getattr(old.tail, name) for name in FIXED})
    return replace(new, tail=tail), waiting
