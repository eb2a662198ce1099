"""The rollups of a configuration: the default ones, and those that it defines."""

from __future__ import annotations

from logagg.config.sections import Config
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.rollup.definitions import DEFAULTS, Rollup


def rollups_of(config: Config) -> tuple[Rollup, ...]:
    """Return the default rollups and those that the configuration defines. Raises ConfigError."""
    if not config.rollups:
        return DEFAULTS
    from logagg.rollup.custom import build  # DuckDB checks them, which takes a while to import

    return (*DEFAULTS, *(build(one, EVENT_SCHEMA) for one in config.rollups))
