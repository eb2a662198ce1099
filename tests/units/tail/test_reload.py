"""The settings that a new configuration changes at once, and those that need a restart."""

from __future__ import annotations

from dataclasses import fields, replace

from logagg.config.sections import Config, Tail
from logagg.tail.reload import FIXED, kept


def test_the_arguments_of_the_tailer_need_a_restart() -> None:
    assert {one.name for one in fields(Tail)} - set(FIXED["tail"]) == {"flush", "paths"}
    changed = replace(Config(), tail=replace(Tail(), flush=9.0, idle=9.0))
    config, waiting = kept(changed, Config())
    assert (config.tail, waiting) == (replace(Tail(), flush=9.0), ["tail.idle"])
