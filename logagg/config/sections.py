"""The configuration: `logagg.toml` as frozen values.

A setting is declared once, as a field of a section below: its type, its default as a person would write it, its help.
The commented file of `logagg init`, the environment variables (`tail.flush` is `LOGAGG_TAIL_FLUSH`) and the
documentation are made from that (`SETTINGS`).
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from logagg.config.toml import Location, TomlFile, converted, refuse_unknown
from logagg.config.types import (
    COUNT,
    DURATION,
    EXTENSION_LIST,
    FLAG,
    INTERVAL,
    IPV4_BITS,
    IPV6_BITS,
    LIMIT,
    LINE,
    MEMORY,
    RETENTION,
    ROTATION,
    SIZE,
    TEXT,
    SettingType,
    duration,
    one_of,
    setting,
    text,
    texts,
)

FILE = "logagg.toml"

TRACKING = ("impression", "click", "conversion")
KINDS = (*TRACKING, "pageview", "asset", "other")

# Ad servers count requests that were answered: with the asset, without content, with a redirect, or from the cache.
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
    """How much is read at a time, and how often it is committed."""

    flush: float = setting("1s", INTERVAL, "how often counts become visible in SQL")
    shards: int = setting(0, COUNT, "shards that the visitors are divided into; 0: one for two cores")
    memory: int = setting("640MB", MEMORY, "memory for the tail and its parsers; at least 640MB")
    chunk: int = setting("12MB", SIZE, "bytes read at a time")
    max_line: int = setting("1MB", LINE, "a longer line is counted as a reject and skipped")
    idle: float = setting("30s", DURATION, "a rotated log that has not changed for this long is finished")
    forget: float = setting("30d", DURATION, "a log whose file is missing for this long is forgotten; its counts stay")
    begin: str = setting(
        "start", SettingType(one_of("start", "end")), "where a new log is read from: start or end", "from"
    )


@dataclass(frozen=True, slots=True)
class Clicks:
    """De-duplication of clicks."""

    window: float = setting("30s", DURATION, "another click of a visitor on an ad within this time is a duplicate")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the data that clients can cause to be stored."""

    value: int = setting(256, LIMIT, "characters of a dimension's value; the rest is cut")
    keys: int = setting(20_000, LIMIT, "distinct keys per rollup and bucket; the rest is folded into (other)")


@dataclass(frozen=True, slots=True)
class Privacy:
    """What is stored about people; addresses themselves never are."""

    ipv4: int = setting(32, IPV4_BITS, "bits of an IPv4 address that tell visitors apart; 24 forgets the last number")
    ipv6: int = setting(128, IPV6_BITS, "bits of an IPv6 address that tell visitors apart; 48 is what one site has")
    rotate: float | None = setting(
        "never", ROTATION, 'visitors get new identities after this, such as "1d"; or "never"'
    )
    samples: int = setting(1000, COUNT, "rejected lines that the lake keeps as samples; 0: none")
    addresses_in_samples: bool = setting(False, FLAG, "keep addresses in the samples of rejected lines")


@dataclass(frozen=True, slots=True)
class Lake:
    """The directory of Parquet files and their catalog."""

    grace: float = setting("15m", DURATION, "how long a replaced file stays for readers of older snapshots")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long buckets stay at each grain, or "forever"."""

    minute: float | None = setting("90d", RETENTION, "minutes become hours after this")
    hour: float | None = setting("2y", RETENTION, "hours become days after this")
    day: float | None = setting("forever", RETENTION, "days are dropped after this")


@dataclass(frozen=True, slots=True)
class Assets:
    """Which requests are for assets of a page rather than a page."""

    extensions: tuple[str, ...] = setting(EXTENSIONS, EXTENSION_LIST, "a path that ends in one of these is an asset")


NOWHERE = Location(FILE, {})


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """One `[[rule]]`: requests that meet every given condition are of this kind; any of a condition's values may match."""

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
    place: Location = field(default=NOWHERE, compare=False)


def _tracking(kind: str, *paths: str) -> RuleConfig:
    return RuleConfig(kind, path=paths, status=TRACKING_STATUSES, methods=METHODS, parameters=PARAMETERS)


DEFAULT_RULES = (
    _tracking("impression", "/imp", "/impression", "/pixel.gif"),
    _tracking("click", "/click"),
    _tracking("conversion", "/conversion", "/conv"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """All of `logagg.toml`; `Config()` has the defaults."""

    site: str = setting("", TEXT, 'the site of logs that name no virtual host; empty: "-"')
    visitor: str = setting("", TEXT, "the log's variable that tells visitors apart; empty: address and user agent")
    forwarded: bool = setting(False, FLAG, "believe X-Forwarded-For: its first address is the client's")
    log_format: str = setting("", TEXT, "a name, an nginx log_format or an Apache LogFormat; empty: detect")
    tail: Tail = Tail()
    clicks: Clicks = Clicks()
    limits: Limits = Limits()
    privacy: Privacy = Privacy()
    lake: Lake = Lake()
    retention: Retention = Retention()
    assets: Assets = Assets()
    rules: tuple[RuleConfig, ...] = DEFAULT_RULES
    rollups: tuple[RollupConfig, ...] = ()
    path: Path | None = None  # the file; None: there is no file


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as the file, the environment and the documentation name it."""

    section: str  # "" at the top
    name: str
    field: str
    written: object
    kind: SettingType
    help: str

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def variable(self) -> str:
        return "LOGAGG_" + self.key.upper().replace(".", "_")


def _settings(cls: type, section: str = "") -> Iterator[Setting]:
    for one in dataclasses.fields(cls):
        if dataclasses.is_dataclass(one.default):
            yield from _settings(type(one.default), one.name)
        elif one.metadata:
            data = one.metadata
            yield Setting(section, data["key"] or one.name, one.name, data["written"], data["kind"], data["help"])


SETTINGS = tuple(_settings(Config))
SECTIONS = {one.section: "" for one in SETTINGS if one.section}


def load(path: Path | None, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of a file (None: no file) and the environment. Raises ConfigError."""
    written = TomlFile.read(path) if path else TomlFile(FILE, {}, {})
    written.refuse_unknown(
        "", written.document, [one.name for one in SETTINGS if not one.section] + [*SECTIONS, *_LISTS]
    )
    changes = {
        section: dataclasses.replace(getattr(Config(), section), **_values(written, section, environ))
        for section in SECTIONS
    }
    rules = tuple(_rule(*one) for one in written.tables("rule"))
    rollups = tuple(_rollup(*one) for one in written.tables("rollup"))
    _refuse_twins(rollups)
    return Config(**_values(written, "", environ), **changes, rules=rules or DEFAULT_RULES, rollups=rollups, path=path)


_LISTS = ("rule", "rollup")


def _values(written: TomlFile, section: str, environ: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the settings of a section that the environment or the file names, by field."""
    environ = os.environ if environ is None else environ
    settings = [one for one in SETTINGS if one.section == section]
    table = written.table(section) if section else written.document
    if section:
        written.refuse_unknown(section, table, [one.name for one in settings])
    values = {}
    for one in settings:
        if one.variable in environ:
            place = Location(f"environment variable {one.variable}", {})
            values[one.field] = converted(place, "", one.kind.convert, one.kind.read(environ[one.variable]))
        elif one.name in table:
            values[one.field] = converted(written.place(section), one.name, one.kind.convert, table[one.name], section)
    return values


def _regex(value: object) -> str:
    pattern = text(value)
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise ValueError(f"write a regular expression in RE2 syntax ({str(error).rpartition(': ')[2]})") from None
    return pattern


def _statuses(value: object) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, int) and not isinstance(one, bool) and 100 <= one <= 999 for one in values):
        raise ValueError("write a status such as 200, or a list of them such as [200, 204]")
    return tuple(values)


_RULE_KEYS: Mapping[str, Callable[[object], Any]] = {
    "kind": one_of(*KINDS),
    "path": texts,
    "prefix": texts,
    "suffix": texts,
    "regex": _regex,
    "site": lambda value: tuple(site.lower() for site in texts(value)),
    "status": _statuses,
    "methods": lambda value: tuple(method.upper() for method in texts(value)),
}


def _rule(place: Location, table: Mapping[str, Any]) -> RuleConfig:
    refuse_unknown(place, table, [*_RULE_KEYS, "parameters"])
    values = {key: converted(place, key, _RULE_KEYS[key], table[key]) for key in _RULE_KEYS if key in table}
    if "kind" not in values:
        raise place.error("kind", "is missing", f"write kind = one of {', '.join(KINDS)}")
    if not any(values.get(key) for key in ("path", "prefix", "suffix", "regex", "site")):
        raise place.error(
            "path", "the rule would match every request", 'write path = "/imp", or prefix, suffix or regex'
        )
    is_tracking = values["kind"] in TRACKING
    if is_tracking:
        values = {"status": TRACKING_STATUSES, "methods": METHODS} | values
    elif values["kind"] == "pageview":
        values = {"status": PAGE_STATUSES} | values
    given = _parameters(place, table.get("parameters", {}))
    return RuleConfig(**values, parameters={**PARAMETERS, **given} if is_tracking else given)


def _parameters(place: Location, table: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise place.error("parameters", "is a section", 'write [rule.parameters] and below it ad = ["ad"]')
    refuse_unknown(place, table, PARAMETERS, "parameters.")
    return {name: converted(place, f"parameters.{name}", texts, keys) for name, keys in table.items()}


def _measures(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not value or not all(isinstance(one, str) for one in value.values()):
        raise ValueError('write measures = {hits = "count"}')
    return value


_ROLLUP_KEYS: Mapping[str, Callable[[object], Any]] = {
    "name": text,
    "where": text,
    "dimensions": texts,
    "measures": _measures,
    "grain": lambda value: round(duration(value)),
}


def _rollup(place: Location, table: Mapping[str, Any]) -> RollupConfig:
    refuse_unknown(place, table, _ROLLUP_KEYS)
    for key, example in {"name": '"slow"', "dimensions": '["path"]', "measures": '{hits = "count"}'}.items():
        if key not in table:
            raise place.error(key, "is missing", f"write {key} = {example}")
    values = {key: converted(place, key, convert, table[key]) for key, convert in _ROLLUP_KEYS.items() if key in table}
    return RollupConfig(**values, place=place)


def _refuse_twins(rollups: Iterable[RollupConfig]) -> None:
    seen = set[str]()
    for rollup in rollups:
        if rollup.name.lower() in seen:
            raise rollup.place.error("name", f'there is a rollup "{rollup.name}" already', "give it another name")
        seen.add(rollup.name.lower())


def default_file() -> str:
    """Return a `logagg.toml` with every setting commented out."""
    lines = ["# logagg.toml: every setting with its default. Remove the # before a setting to change it.", ""]
    section = ""
    for one in SETTINGS:
        if one.section != section:
            section = one.section
            lines += [f"[{section}]  # {_summary(section)}", ""]
        lines += [f"# {one.help}", f"# {one.name} = {json.dumps(one.written, ensure_ascii=False)}", ""]
    return "\n".join([*lines, _EXAMPLES])


def _summary(section: str) -> str:
    return (type(getattr(Config(), section)).__doc__ or "").rstrip(".")


_EXAMPLES = """\
# Rules decide the kind of a request; the first that matches wins. Any [[rule]] replaces the default rules:
# /imp, /impression and /pixel.gif are impressions, /click is a click, /conversion and /conv are conversions.
# Kinds: impression, click, conversion, pageview, asset, other. A rule matches if every given condition does:
# path (the whole path), prefix, suffix, regex (RE2, anywhere in the path), site; of a list, any value.
# [[rule]]
# kind = "click"
# path = ["/click", "/go"]
# status = [200, 204, 302, 304]
# methods = ["GET", "POST"]
# parameters = {campaign = ["campaign", "utm_campaign"], ad = ["ad"], placement = ["placement"]}

# User-defined rollups: each is a view. Conditions are SQL over the columns of events (see the documentation).
# [[rollup]]
# name = "slow_pages"
# where = "kind = 'pageview'"
# dimensions = ["site", "path"]
# measures = {hits = "count", slow = "count(seconds > 1)", bytes = "sum(bytes)", people = "uniques(visitor)"}
# grain = "5m"
"""
