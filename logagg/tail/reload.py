"""A new configuration for a running tail (SIGHUP)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from logagg.config.sections import SETTINGS, Config, Setting
from logagg.errors import LogaggError
from logagg.notice_log import Notices
from logagg.notices import configuration_refused, configuration_unchanged, settings_need_restart

# Settings that the tailer, the shards and the lake keep for life.
FIXED = {"tail": ("shards", "memory", "chunk", "max_line", "idle", "forget", "begin"), "lake": ("path",)}


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
        one.key for one in SETTINGS if one.field in FIXED.get(one.section, ()) and _value(new, one) != _value(old, one)
    ]
    changes = {
        section: replace(getattr(new, section), **{name: getattr(getattr(old, section), name) for name in names})
        for section, names in FIXED.items()
    }
    return replace(new, **changes), waiting


def _value(config: Config, one: Setting) -> object:
    return getattr(getattr(config, one.section), one.field)
