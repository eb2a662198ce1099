"""The configuration: `logagg.toml` as frozen values.

A setting is declared once, as a field of a section below: its type, its default as a person would write it, its help.
The commented file of `logagg init`, the environment variables (`tail.flush` is `LOGAGG_TAIL_FLUSH`) and the
documentation are made from that (`configfile.SETTINGS`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from logagg.errors import ConfigError
from logagg.settings import (
    COUNT,
    DURATION,
    EXTENSION_LIST,
    FLAG,
    INTERVAL,
    LIMIT,
    RETENTION,
    SIZE,
    TEXT,
    Kind,
    one_of,
    setting,
)

FILE = "logagg.toml"

TRACKING = ("impression", "click", "conversion")
KINDS = (*TRACKING, "pageview", "asset", "other")

# An ad server counts a request that it answered: with the asset, with nothing, with a redirect, or from the cache.
TRACKING_STATUSES = (200, 204, 302, 304)
PAGE_STATUSES = (*range(200, 300), 304)
METHODS = ("GET", "POST")

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "campaign": ("campaign", "utm_campaign"),
    "ad": ("ad",),
    "placement": ("placement",),
}

EXTENSIONS = (
    "css js mjs map json xml txt ico png jpg jpeg gif webp avif svg bmp woff woff2 ttf otf eot "
    "mp3 mp4 m4a m4v webm ogg ogv wav flac pdf zip gz tar tgz bz2 xz 7z wasm webmanifest"
).split()


@dataclass(frozen=True, slots=True)
class Tail:
    """Reading on, and how much of it at a time."""

    flush: float = setting("1s", INTERVAL, "how often counts become visible in SQL")
    shards: int = setting(0, COUNT, "workers that share the visitors; 0: one per core")
    memory: int = setting("512MB", SIZE, "what counts may take in memory before an early flush")
    chunk: int = setting("8MB", SIZE, "bytes read at a time")
    max_line: int = setting("1MB", SIZE, "a longer line is counted as a reject and skipped")
    begin: str = setting("start", Kind(one_of("start", "end")), "where a new log is read from: start or end", "from")


@dataclass(frozen=True, slots=True)
class Clicks:
    """De-duplication of clicks."""

    window: float = setting("30s", DURATION, "another click of a visitor on an ad within this time is a duplicate")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what strangers can make us keep."""

    value: int = setting(256, LIMIT, "characters of a dimension's value; the rest is cut")
    keys: int = setting(20_000, LIMIT, "distinct keys per rollup and bucket; the rest is folded into (other)")


@dataclass(frozen=True, slots=True)
class Lake:
    """The directory of Parquet files and their catalog."""

    grace: float = setting("15m", DURATION, "how long a replaced file stays for readers of older snapshots")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long buckets stay at each grain; None is forever."""

    minute: float | None = setting("90d", RETENTION, "minutes become hours after this")
    hour: float | None = setting("2y", RETENTION, "hours become days after this")
    day: float | None = setting("forever", RETENTION, "days are dropped after this")


@dataclass(frozen=True, slots=True)
class Assets:
    """What is an asset of a page rather than a page."""

    extensions: tuple[str, ...] = setting(EXTENSIONS, EXTENSION_LIST, "a path that ends in one of these is an asset")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the configuration file something was written."""

    file: str
    lines: Mapping[str, int]  # by key; "" is the section itself

    def error(self, key: str, message: str, hint: str = "") -> ConfigError:
        """Return the error about a key: file, line, key, what to write instead."""
        line = self.lines.get(key) or self.lines.get("", 0)
        where = f"{self.file}:{line}" if line else self.file
        return ConfigError(f"{where}: {key}: {message}" if key else f"{where}: {message}", hint)


NOWHERE = Place(FILE, {})


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """One `[[rule]]`: requests for which all that is given holds are of this kind; of several values any may hold."""

    kind: str
    path: tuple[str, ...] = ()  # the whole path, without the query string
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()
    regex: str = ""  # RE2 syntax, anywhere in the path
    site: tuple[str, ...] = ()
    status: tuple[int, ...] = ()  # empty: any
    methods: tuple[str, ...] = ()  # upper case; empty: any; HEAD never counts for tracking kinds
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # dimension -> query keys


@dataclass(frozen=True, slots=True)
class RollupConfig:
    """One `[[rollup]]`, as written; `rollup.custom.build` makes the rollup."""

    name: str
    dimensions: tuple[str, ...]
    measures: Mapping[str, str]  # column -> "count", "count(seconds > 1)", "sum(bytes)", "uniques(visitor)"
    where: str = ""
    grain: int = 60  # seconds
    place: Place = field(default=NOWHERE, compare=False)


def _tracking(kind: str, *paths: str) -> RuleConfig:
    return RuleConfig(kind, path=paths, status=TRACKING_STATUSES, methods=METHODS, parameters=PARAMETERS)


DEFAULT_RULES = (
    _tracking("impression", "/imp", "/impression", "/pixel.gif"),
    _tracking("click", "/click"),
    _tracking("conversion", "/conversion", "/conv"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """All of `logagg.toml`; `Config()` is what holds without a file."""

    site: str = setting("", TEXT, 'the site of logs that name no virtual host; empty: "-"')
    visitor: str = setting("", TEXT, "the log's variable that tells visitors apart; empty: address and user agent")
    forwarded: bool = setting(False, FLAG, "believe X-Forwarded-For: its first address is the client's")
    log_format: str = setting("", TEXT, "a name, an nginx log_format or an Apache LogFormat; empty: detect")
    tail: Tail = Tail()
    clicks: Clicks = Clicks()
    limits: Limits = Limits()
    lake: Lake = Lake()
    retention: Retention = Retention()
    assets: Assets = Assets()
    rules: tuple[RuleConfig, ...] = DEFAULT_RULES
    rollups: tuple[RollupConfig, ...] = ()
    path: Path | None = None  # the file, where there is one
