"""The independent count: reads a log line by line, with `re` and dictionaries, sharing no code with the package.

A line is read into a `Hit`, hits are counted into the rollups of the contract. Slow, plain, and simple enough to be checked by reading.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

TRACKING = {
    "/imp": "impression",
    "/impression": "impression",
    "/pixel.gif": "impression",
    "/click": "click",
    "/conversion": "conversion",
    "/conv": "conversion",
}
ASSET = re.compile(
    r"\.(css|js|mjs|map|json|xml|txt|ico|png|jpg|jpeg|gif|webp|avif|svg|bmp|woff|woff2|ttf|otf|eot|mp3|mp4|m4a|m4v|webm|ogg|ogv|wav|flac"
    r"|pdf|zip|gz|tar|tgz|bz2|xz|7z|wasm|webmanifest)$",
    re.IGNORECASE,
)
LINE = re.compile(
    r'^(?:(?P<host>[^ :]+)(?::\d+)? )??(?P<client>[^ ]+) [^ ]+ [^ ]+ \[(?P<time>[^]]+)\] "(?P<request>[^"]*)" (?P<status>\d{3}) '
    r'(?P<bytes>[^ ]+) "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"(?: (?P<seconds>[^ ]+))?$'
)

BYTES = re.compile(r"\d{1,18}(\.0{1,18})?")  # size of a response: whole, and at most a pebibyte
MOST_BYTES = 2**50
# A duration is null unless it is a number of at most 40 characters, and at most a week.
SECONDS = re.compile(r"\d+(\.\d+)?([eE]-\d{1,3})?")
WEEK = 7 * 24 * 3600

# Each rollup's dimensions and additive measures; "visitors" is counted as a set.
KEYS = {
    "traffic": ("ts", "site", "kind", "method", "status", "is_bot"),
    "pages": ("ts", "site", "path", "is_bot"),
    "ads": ("ts", "site", "campaign", "ad", "placement", "is_bot"),
    "referrers": ("ts", "site", "referrer", "is_bot"),
    "agents": ("ts", "site", "is_bot"),
    "robots": ("ts", "site", "is_bot"),
    "errors": ("ts", "site", "path", "status", "is_bot"),
    "latency": ("ts", "site", "path", "is_bot"),
}
MEASURES = {
    "traffic": ("hits", "bytes"),
    "pages": ("views", "clicks", "errors", "bytes"),
    "ads": ("impressions", "clicks", "clicks_dup", "conversions"),
    "referrers": ("hits",),
    "agents": ("hits",),
    "robots": ("hits", "bytes"),
    "errors": ("hits",),
    "latency": ("hits", "nanoseconds"),
}
# The key of a request, and the measures that are summed for equal keys.
REQUEST = ("time", "site", "kind", "method", "path", "status", "is_bot", "referrer", "id", "campaign")
WITH_VISITORS = ("traffic", "pages", "ads", "referrers", "agents", "robots")


@dataclass(frozen=True)
class Hit:
    """One request, as a person would read it from its line."""

    time: float  # seconds since the epoch
    client: str
    method: str
    target: str
    status: int
    bytes: int = 0
    referrer: str = ""
    agent: str = ""
    host: str = ""
    seconds: float | None = None

    @property
    def nanoseconds(self) -> int:
        return round(Decimal(repr(self.seconds)) * 10**9)

    @property
    def path(self) -> str:
        return self.target.split("?")[0]

    @property
    def kind(self) -> str:
        if self.path in TRACKING:
            counts = self.status in (200, 204, 302, 304) and self.method in ("GET", "POST")
            return TRACKING[self.path] if counts else "other"
        if ASSET.search(self.path):
            return "asset"
        is_view = self.method == "GET" and (200 <= self.status < 300 or self.status == 304)
        return "pageview" if is_view else "other"

    @property
    def parameters(self) -> dict[str, str]:
        query = self.target.partition("?")[2]
        return {key: values[0] for key, values in parse_qs(query).items()}

    @property
    def referring_host(self) -> str:
        return urlsplit(self.referrer).hostname or "" if "://" in self.referrer else ""


Row = dict[str, int]
Table = dict[tuple[object, ...], Row]
Visitors = dict[tuple[object, ...], set[tuple[str, str]]]


@dataclass
class Count:
    """All rollups of some hits: rows by key, distinct visitors by key."""

    rows: dict[str, Table]
    visitors: dict[str, Visitors]
    requests: Table  # by REQUEST: hits and bytes

    def by(self, rollup: str, *names: str) -> Table:
        """Return the rows of a rollup summed by some of its dimensions, visitors among the measures."""
        places = [KEYS[rollup].index(name) for name in names]
        summed: Table = defaultdict(lambda: dict.fromkeys(MEASURES[rollup], 0))
        people: Visitors = defaultdict(set)
        for key, row in self.rows[rollup].items():
            short = tuple(key[place] for place in places)
            for name, value in row.items():
                summed[short][name] += value
            people[short] |= self.visitors[rollup][key]
        if rollup in WITH_VISITORS:
            for short, row in summed.items():
                row["visitors"] = len(people[short])
        return dict(summed)


def read(line: str) -> Hit | None:
    """Read a combined line, optionally with a virtual host before it and a request time after it; return None for a reject."""
    match = LINE.match(line)
    if not match:
        return None
    found = match.groupdict()
    method, target = [*found["request"].split(" "), "", ""][:2]
    try:
        time = dt.datetime.strptime(found["time"], "%d/%b/%Y:%H:%M:%S %z").timestamp()
    except ValueError:
        return None
    if found["bytes"] in ("-", "-1"):
        size = 0
    elif not BYTES.fullmatch(found["bytes"]) or (size := int(found["bytes"].split(".")[0])) > MOST_BYTES:
        return None
    return Hit(
        time=time,
        client=found["client"],
        method=method,
        target=target,
        status=int(found["status"]),
        bytes=size,
        referrer="" if found["referrer"] == "-" else found["referrer"],
        agent="" if found["agent"] == "-" else found["agent"],
        host=(found["host"] or "").lower(),
        seconds=duration(found["seconds"]),
    )


def duration(text: str | None) -> float | None:
    """Read the duration of a request; an impossible value gives None."""
    if text is None or len(text) > 40 or not SECONDS.fullmatch(text):
        return None
    return float(text) if float(text) <= WEEK else None


def count(hits: Iterable[Hit], is_robot: Callable[[str], bool], site: str = "", window: float = 30) -> Count:
    """Count hits into every rollup of the contract."""
    rows: dict[str, Table] = {name: defaultdict(lambda name=name: dict.fromkeys(MEASURES[name], 0)) for name in KEYS}  # type: ignore[misc]
    people: dict[str, Visitors] = {name: defaultdict(set) for name in KEYS}
    requests: Table = defaultdict(lambda: {"hits": 0, "bytes": 0})
    last_click: dict[object, float] = {}
    robots: dict[str, bool] = {}

    def add(rollup: str, key: tuple[object, ...], visitor: tuple[str, str] | None, **measures: int) -> None:
        row = rows[rollup][key]
        for name, value in measures.items():
            row[name] += value
        if visitor:
            people[rollup][key].add(visitor)

    for hit in sorted(hits, key=lambda hit: (hit.time, hit.parameters.get("placement", ""))):  # ties: by placement
        if hit.agent not in robots:
            robots[hit.agent] = is_robot(hit.agent)
        bot, own = robots[hit.agent], hit.host or site or "-"
        ts = int(hit.time) // 60 * 60
        visitor = (hit.client, hit.agent)
        is_view, is_error = hit.kind == "pageview", hit.status >= 400
        given = hit.parameters if hit.path in TRACKING else {}
        campaign = given.get("campaign") or given.get("utm_campaign", "")
        shown = (
            own,
            hit.kind,
            hit.method,
            hit.path,
            hit.status,
            bot,
            hit.referring_host,
            given.get("id", ""),
            campaign,
        )
        request = requests[int(hit.time), *shown]
        request["hits"] += 1
        request["bytes"] += hit.bytes
        add("traffic", (ts, own, hit.kind, hit.method, hit.status, bot), visitor, hits=1, bytes=hit.bytes)
        add("referrers", (ts, own, hit.referring_host, bot), visitor, hits=1)
        add("agents", (ts, own, bot), visitor, hits=1)
        if bot:
            add("robots", (ts, own, bot), visitor, hits=1, bytes=hit.bytes)
        if is_view or (hit.kind == "other" and is_error):
            seen = visitor if is_view else None
            add("pages", (ts, own, hit.path, bot), seen, views=is_view, errors=is_error, bytes=hit.bytes)
        if is_view and hit.referring_host and hit.referring_host.removeprefix("www.") == own.removeprefix("www."):
            add("pages", (ts, own, urlsplit(hit.referrer).path or "/", bot), None, clicks=1)
        if is_error:
            add("errors", (ts, own, hit.path, hit.status, bot), None, hits=1)
        if hit.seconds is not None:
            add("latency", (ts, own, hit.path, bot), None, hits=1, nanoseconds=hit.nanoseconds)
        if hit.kind in ("impression", "click", "conversion"):
            ad = given.get("ad", "")
            key = (ts, own, campaign, ad, given.get("placement", ""), bot)
            what = hit.kind + "s"
            if hit.kind == "click":
                window_of = (visitor, own, campaign, ad)
                if hit.time - last_click.get(window_of, float("-inf")) < window:
                    what = "clicks_dup"
                last_click[window_of] = hit.time
            add("ads", key, visitor, **{what: 1})
    return Count(rows, people, dict(requests))
