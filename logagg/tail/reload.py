"""A new configuration for a running tail (SIGHUP)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from logagg.config.sections import SETTINGS, Config
from logagg.errors import LogaggError
from logagg.notice_log import Notices
from logagg.notices import configuration_refused, configuration_unchanged, settings_need_restart

# Settings of [tail] that the tailer and the shards keep for life.
FIXED = ("shards", "memory", "chunk", "max_line", "idle", "forget", "begin")


def reloaded(
    read: Callable[[], Config], before: Config, attempt: Callable[[Config], object], notices: Notices
) -> Config | None:
    """Read the configuration again and try it; None, with a notice, if that fails or nothing has changed."""
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
    """Return a new configuration without the changes that need a restart, and the keys of those."""
    waiting = [
        one.key
        for one in SETTINGS
        if one.section == "tail" and one.field in FIXED and getattr(new.tail, one.field) != getattr(old.tail, one.field)
    ]
    tail = replace(new.tail, **{name: getattr(old.tail, name) for name in FIXED})
    return replace(new, tail=tail), waiting
