"""The configuration: `logagg.toml` as frozen values.

A setting is declared once, as a field of a section below: its type, its default as a person would write it, its help.
The commented file of `logagg init`, the environment variables (`tail.flush` is `LOGAGG_TAIL_FLUSH`) and the
documentation are made from that (`SETTINGS`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from logagg.config.alerts import AlertConfig, NotifyConfig
from logagg.config.channels import CLICK_IDS, ChannelRule, ClickId, click_ids
from logagg.config.logs import LogConfig
from logagg.config.rules import DEFAULT_RULES, KINDS, RollupConfig, RuleConfig
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
    NETWORKS,
    PARAMETER_LIST,
    PATH,
    PATH_LIST,
    QUERY_MEMORY,
    RETENTION,
    ROTATION,
    SIZE,
    TEXT,
    TEXT_LIST,
    WORDS,
    ZONE,
    SettingType,
    one_of,
    setting,
    some_of,
    words,
)

EXTENSIONS = (
    "css js mjs map json xml txt ico png jpg jpeg gif webp avif svg bmp woff woff2 ttf otf eot "
    "mp3 mp4 m4a m4v webm ogg ogv wav flac pdf zip gz tar tgz bz2 xz 7z wasm webmanifest"
).split()


@dataclass(frozen=True, slots=True)
class Tail:
    """How much is read at a time, and how often it is committed."""

    paths: tuple[str, ...] = setting(
        [], PATH_LIST, "logs that are followed if no PATH is given: files, directories or globs"
    )
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
    """Data about people; addresses themselves are never stored."""

    ipv4: int = setting(32, IPV4_BITS, "bits of an IPv4 address that tell visitors apart; 24 forgets the last number")
    ipv6: int = setting(128, IPV6_BITS, "bits of an IPv6 address that tell visitors apart; 48 is what one site has")
    rotate: float | None = setting(
        "never", ROTATION, 'visitors get new identities after this, such as "1d"; or "never"'
    )
    samples: int = setting(1000, COUNT, "rejected lines that the lake keeps as samples; 0: none")
    users: bool = setting(False, FLAG, "keep the names that clients logged in with, as the dimension `user`")
    addresses_in_samples: bool = setting(False, FLAG, "keep addresses in the samples of rejected lines")


@dataclass(frozen=True, slots=True)
class Geo:
    """Countries and networks of addresses, from databases in MaxMind's format (mmdb)."""

    database: tuple[str, ...] = setting(
        [], TEXT_LIST, "files such as GeoLite2-Country.mmdb; the first that knows a field decides"
    )
    city: bool = setting(False, FLAG, "keep cities, too")
    country_field: str = setting("", TEXT, 'where the country is, such as "registered_country.iso_code"; empty: detect')


@dataclass(frozen=True, slots=True)
class Robots:
    """The criteria for robots."""

    hosting: bool = setting(
        False, FLAG, "a client in a hosting network is a robot, whatever its agent; so are then people behind a VPN"
    )


@dataclass(frozen=True, slots=True)
class Channels:
    """Where visitors come from: the parameters of tagged links."""

    source: tuple[str, ...] = setting(
        ["utm_source", "mtm_source", "pk_source"], PARAMETER_LIST, "parameters that name the source of a link"
    )
    medium: tuple[str, ...] = setting(["utm_medium", "mtm_medium", "pk_medium"], PARAMETER_LIST, "and its medium")
    campaign: tuple[str, ...] = setting(
        ["utm_campaign", "mtm_campaign", "pk_campaign"], PARAMETER_LIST, "and its campaign"
    )
    click_ids: tuple[ClickId, ...] = setting(
        list(CLICK_IDS),
        SettingType(click_ids, lambda text: [one.strip() for one in text.split(",") if one.strip()]),
        "parameters that ad networks and mailers add, each with the source and the medium that it means",
    )


@dataclass(frozen=True, slots=True)
class Lake:
    """The directory of Parquet files and their catalog."""

    path: str = setting("", PATH, 'where it is; empty: "lake" in the current folder', variable="LOGAGG_LAKE")
    grace: float = setting("15m", DURATION, "how long a replaced file stays for readers of older snapshots")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long buckets stay at each grain, or "forever"."""

    minute: float | None = setting("90d", RETENTION, "minutes become hours after this")
    hour: float | None = setting("2y", RETENTION, "hours become days after this")
    day: float | None = setting("forever", RETENTION, "days are dropped after this")


@dataclass(frozen=True, slots=True)
class Requests:
    """The single events beside the rollups: which ones the view `requests` keeps, and for how long."""

    keep: float | None = setting("7d", RETENTION, 'how long requests stay, counted from the newest one; "0": none')
    max_size: int = setting("2GB", SIZE, "bytes that they take at most; the oldest go first")
    kinds: tuple[str, ...] = setting(
        list(KINDS), SettingType(some_of(*KINDS), words), "the kinds of events that are kept"
    )
    query: bool = setting(False, FLAG, "keep query strings too, which may have personal data in them")


JOIN_IDS = "click_id gclid gbraid wbraid dclid msclkid fbclid ttclid twclid li_fat_id".split()


@dataclass(frozen=True, slots=True)
class Attribution:
    """Which touches brought a conversion: paths of impressions, clicks and landings, joined by ids and by visitors."""

    enabled: bool = setting(True, FLAG, "keep touches and paths, and the views attribution and unmatched")
    ids: tuple[str, ...] = setting(
        JOIN_IDS, WORDS, "keys of query strings with the id of a click, which landings and conversions repeat"
    )
    click: float = setting("30d", INTERVAL, "how long after a click or a landing a conversion may be")
    view: float = setting("1d", INTERVAL, "how long after an impression a conversion, or a click, may be")
    keep: float | None = setting("400d", RETENTION, "how long the paths of conversions stay")
    max_size: int = setting("256MB", SIZE, "bytes that touches take at most, and paths; the oldest go first")


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits of pages, and what a visitor did in each."""

    enabled: bool = setting(True, FLAG, "derive visits, flows, durations and depths from requests")
    gap: float = setting("30m", INTERVAL, "a visit is over after this time without an event of the visitor")
    late: float = setting(
        "1h", INTERVAL, "a line that comes later than this is in no visit, by the log's time and the clock"
    )
    memory: float = setting("30d", DURATION, "a visitor who comes back within this time is not new")
    max_size: int = setting("1GB", SIZE, "bytes that the remembered visitors take at most; the oldest go first")


@dataclass(frozen=True, slots=True)
class Assets:
    """Which requests are for assets of a page rather than a page."""

    extensions: tuple[str, ...] = setting(EXTENSIONS, EXTENSION_LIST, "a path that ends in one of these is an asset")


@dataclass(frozen=True, slots=True)
class Alerts:
    """The limits of an alert's query, and the address of the page that messages link to."""

    timeout: float = setting("30s", INTERVAL, "the time that the query of an alert may take")
    memory: int = setting("256MB", QUERY_MEMORY, "the memory that it may take; at least 64MB")
    url: str = setting("", TEXT, "the address of the page of `logagg serve`, for links in notifications")


@dataclass(frozen=True, slots=True)
class Config:
    """All of `logagg.toml`; `Config()` has the defaults."""

    site: str = setting("", TEXT, 'the site of logs that name no virtual host; empty: "-"')
    visitor: str = setting("", TEXT, "the log's variable that tells visitors apart; empty: address and user agent")
    trusted_proxies: tuple[str, ...] = setting(
        [], NETWORKS, "networks of your own proxies, whose X-Forwarded-For is believed about the client"
    )
    forwarded: bool = setting(
        False,
        FLAG,
        "believe the first address of X-Forwarded-For, which any client can write; trusted_proxies is safer",
    )
    log_format: str = setting("", TEXT, "a name, an nginx log_format or an Apache LogFormat; empty: detect")
    tz: str = setting(
        "", ZONE, "the time zone of days and of times shown; empty: the machine's for people, UTC for programs"
    )
    tail: Tail = Tail()
    clicks: Clicks = Clicks()
    limits: Limits = Limits()
    privacy: Privacy = Privacy()
    geo: Geo = Geo()
    robots: Robots = Robots()
    channels: Channels = Channels()
    lake: Lake = Lake()
    retention: Retention = Retention()
    requests: Requests = Requests()
    visits: Visits = Visits()
    attribution: Attribution = Attribution()
    assets: Assets = Assets()
    alerts: Alerts = Alerts()
    rules: tuple[RuleConfig, ...] = DEFAULT_RULES
    rollups: tuple[RollupConfig, ...] = ()
    channel_rules: tuple[ChannelRule, ...] = ()  # `[[channel]]`
    logs: tuple[LogConfig, ...] = ()
    watched: tuple[AlertConfig, ...] = ()  # `[[alert]]`
    receivers: tuple[NotifyConfig, ...] = ()  # `[notify.NAME]`
    path: Path | None = None  # the file; None: there is no file

    @property
    def paths(self) -> list[str]:
        """The logs that the configuration names, which a tail follows if no PATH is given."""
        return list(dict.fromkeys((*self.tail.paths, *(log.path for log in self.logs))))


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as the file, the environment and the documentation name it."""

    section: str  # "" at the top
    name: str
    field: str
    written: object
    kind: SettingType
    help: str
    own_variable: str = ""

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def variable(self) -> str:
        return self.own_variable or self.variable_by_key

    @property
    def variable_by_key(self) -> str:
        return "LOGAGG_" + self.key.upper().replace(".", "_")


def _settings(cls: type, section: str = "") -> Iterator[Setting]:
    for one in dataclasses.fields(cls):
        if dataclasses.is_dataclass(one.default):
            yield from _settings(type(one.default), one.name)
        elif one.metadata:
            data = one.metadata
            named = data["key"] or one.name
            yield Setting(section, named, one.name, data["written"], data["kind"], data["help"], data["variable"])


SETTINGS = tuple(_settings(Config))
SECTIONS = {one.section: "" for one in SETTINGS if one.section}
