"""The tables that a configuration defines: the default rollups, its own, and requests."""

from __future__ import annotations

import pyarrow as pa

from logagg.config.sections import Config
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.rollup.conversions import Attribution
from logagg.rollup.definitions import DEFAULTS, Rollup
from logagg.rollup.derived import Definition, Derivation, tables_in
from logagg.rollup.requests import Requests
from logagg.rollup.visits import Visits


def rollups_of(config: Config) -> tuple[Rollup, ...]:
    """Return the default rollups and those that the configuration defines. Raises ConfigError."""
    if not config.rollups:
        return DEFAULTS
    from logagg.rollup.custom import build  # DuckDB checks them, which takes a while to import

    hidden = {name for name, wanted in (("user", config.privacy.users), ("city", config.geo.city)) if not wanted}
    events = pa.schema([one for one in EVENT_SCHEMA if one.name not in hidden])
    return (*DEFAULTS, *(build(one, events) for one in config.rollups))


def requests_of(config: Config) -> Requests:
    """Return the table of requests; with `keep = "0"` it takes no more."""
    return Requests(config.requests.kinds if config.requests.keep != 0 else ())


def derivations_of(config: Config) -> tuple[Derivation, ...]:
    """Return what is derived of requests."""
    found, wanted = list[Derivation](), config.visits
    if wanted.enabled:
        found.append(Visits(wanted.gap, wanted.memory, wanted.max_size))
    if config.attribution.enabled:
        found.append(Attribution.of(config))
    return tuple(found)


def tables_of(config: Config) -> tuple[Definition, ...]:
    """Return all tables that a lake has by a configuration, and what writes some of them. Raises ConfigError."""
    return (*rollups_of(config), *derivations_of(config), requests_of(config))


def views_of(config: Config) -> list[str]:
    """Return the names of all these tables. Raises ConfigError."""
    return list(tables_in(tables_of(config)))
