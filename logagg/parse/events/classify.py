"""Columns of lines -> classified events: kind, dimensions, visitor, is_bot.

Results that depend on one field are computed once per distinct value and spread over the rows by their codes. Results
that depend on several fields (the kind, for example) take a few comparisons of whole columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import masked, spread
from logagg.columnar.encoded import EncodedText, without_empty
from logagg.columnar.slices import Codes, Column, Mask, Slices
from logagg.config.rules import KINDS
from logagg.config.sections import Config
from logagg.parse.channels.arrivals import Arrival, Tags
from logagg.parse.channels.entries import Entries
from logagg.parse.channels.settings import ChannelSettings
from logagg.parse.channels.tags import TagKeys, read_tags
from logagg.parse.events import kinds, visitors
from logagg.parse.events.addresses import Prefix
from logagg.parse.events.amounts import amounts
from logagg.parse.events.clients import Proxies
from logagg.parse.events.hints import HINTS, refined
from logagg.parse.events.locations import from_hosting, located
from logagg.parse.events.rules import JOINED, Rules
from logagg.parse.events.targets import hosts_of, schemes_of, split_targets
from logagg.parse.geo.layouts import FIELDS
from logagg.parse.geo.places import GeoSettings
from logagg.parse.schemas import EVENT_SCHEMA, TEXT
from logagg.parse.text import urls
from logagg.sketches import latency_bucket

NO_SITE = "-"
AS_LOGGED = ("cache", "scheme", "protocol", "tls", "user")  # as a line has them; null in most formats
NUMBERS = ("time", "position", "status", "bytes", "seconds", "upstream_seconds")
_JOINED = ("click_id", "order_id", "currency")
_WWW = "www."
_PAGEVIEW = KINDS.index("pageview")
_BEGIN = np.array([kind in ("pageview", "click") for kind in KINDS], np.uint8)  # kinds that begin something


@dataclass(frozen=True, slots=True)
class Classifier:
    """Turns parsed lines into events by the rules of one configuration."""

    rules: Rules
    secret: bytes  # keys the visitor hash; at least 16 bytes
    site: str = ""  # for logs without a virtual host
    proxies: Proxies = Proxies()  # whose word is taken for who the client is
    limit: int = 256  # characters of a dimension value
    prefix: Prefix = Prefix()  # how much of an address tells visitors apart
    period: int = 0  # microseconds for which a visitor stays the same; 0: forever
    users: bool = False  # keep the names that clients logged in with
    queries: bool = False  # keep query strings
    ids: bool = True  # keep the join ids of tracking requests
    geo: GeoSettings | None = None  # the databases that tell where an address is
    city: bool = False  # keep cities
    channels: ChannelSettings | None = ChannelSettings()  # where entries come from; None: not needed
    hosting: bool = False  # requests from hosting networks are those of robots
    key_of: Callable[[int], bytes] | None = None  # returns the key of the period that ends at a given second

    @classmethod
    def of(cls, config: Config, secret: bytes, key_of: Callable[[int], bytes] | None = None) -> Classifier:
        """Build the classifier of a configuration; `key_of` is needed where visitors rotate (`privacy.rotate`)."""
        privacy = config.privacy
        prefix, period = Prefix(privacy.ipv4, privacy.ipv6), round((privacy.rotate or 0) * 1_000_000)
        return cls(
            Rules.of(config),
            secret,
            config.site,
            Proxies(config.trusted_proxies, config.forwarded),
            config.limits.value,
            prefix,
            period,
            privacy.users,
            config.requests.query,
            config.requests.keep != 0,
            GeoSettings.of(config),
            config.geo.city,
            ChannelSettings.of(config),
            config.robots.hosting,
            key_of,
        )

    def classify(self, batch: pa.Table, site_of_log: str = "") -> pa.Table:
        """Return one event (`EVENT_SCHEMA`) per row of a batch (`BATCH_SCHEMA`), in the same order.

        `site_of_log` is the site of lines without a virtual host, if it is known for their log.
        """
        column = _Texts(batch)
        logged = column.logged()
        site = self._sites(column["host"], column["target"], site_of_log)
        requests = self._requests(column["target"].filled(), site)
        kind = self.rules.kinds(requests.rule, requests.codes, batch.column("status").to_numpy(), column["method"])
        referrer, from_page = _split_referrers(column["referrer"])
        hosts = _Hosts.of(site, referrer)
        path = requests.paths()
        logged_places = {name: texts for name, texts in logged.items() if name != "city" or self.city}
        places = located(logged_places, lambda: self._clients(column), self.geo)
        facts, is_bot = self._facts(column["agent"], logged, from_hosting(places))
        joined, value = _joined(taken := requests.parameters(self.rules, ids=self.ids))
        texts = {
            "site": site,
            "method": column["method"].filled(),
            "path": path,
            "referrer": referrer,
            "from_path": _from_paths(kind, site, referrer, hosts, from_page),
            "ext": _extensions(path),
            **{name: logged[name] for name in AS_LOGGED if name in logged and (name != "user" or self.users)},
            **{name: texts for name, texts in taken.items() if name not in JOINED},
            "id": taken["id"],
            **joined,
            **places,
            **facts,
        }
        entries = dict[str, pa.Array]()
        if self.channels:
            found = self._entries(self.channels, kind, site, referrer, hosts, requests, texts["campaign"])
            entries, texts["campaign"] = found
        texts |= {"query": requests.queries()} if self.queries else {}
        if "scheme" not in logged and (schemes := schemes_of(column["target"].filled())):
            texts["scheme"] = schemes
        nothing = pa.nulls(batch.num_rows, TEXT)
        columns = {name: value.bounded(self.limit).array() for name, value in texts.items()} | entries
        columns |= {
            name: nothing for name in (*AS_LOGGED, *FIELDS, *Arrival._fields, *_JOINED, "query") if name not in columns
        }
        columns["kind"] = EncodedText(kind, pa.array(KINDS)).array()
        columns |= {name: batch.column(name) for name in NUMBERS}
        columns["is_bot"] = pa.array(is_bot)
        columns["value_micros"] = pa.nulls(batch.num_rows, pa.int64()) if value is None else value
        columns["bucket"] = latency_bucket(batch.column("seconds").combine_chunks())
        columns["visitor"] = pa.array(self._visitors(column, batch.column("time")))
        return pa.table([columns[name] for name in EVENT_SCHEMA.names], schema=EVENT_SCHEMA)

    def _entries(
        self,
        channels: ChannelSettings,
        kind: Codes,
        site: EncodedText,
        referrer: EncodedText,
        hosts: _Hosts,
        requests: _Requests,
        campaign: EncodedText,
    ) -> tuple[dict[str, pa.Array], EncodedText]:
        """Return what is known of entries, and the campaigns with those that tagged links to pages name."""
        referrers = kinds.entries(kind, _BEGIN, hosts.of_sites, site.codes, hosts.of_referrers, referrer.codes)
        if referrers.max(initial=-1) < 0:
            return {}, campaign
        names = [*hosts.names.to_pylist(), ""]
        numbers = masked(hosts.of_referrers, hosts.of_referrers >= 0, len(names) - 1)
        entries = Entries(referrers, numbers, names, site.codes, site.values.to_pylist())
        tagged, tags = requests.tags(self.rules, channels.keys)
        found = entries.arrivals(channels.shared(), tagged, tags)
        if tagged is not None:
            campaign = _with_tagged(campaign, (referrers >= 0) & (kind == _PAGEVIEW), tagged, tags)
        return found, campaign

    def _facts(
        self, agent: EncodedText, logged: dict[str, EncodedText], hosted: Mask | None
    ) -> tuple[dict[str, EncodedText], Mask]:
        """Return the facts about the agent of each row, and a mask of the robots; `hosted` is one of hosting
        networks."""
        from logagg.parse.events import agents, robots  # their patterns load slowly, and only parsers need them

        # A format without user agents tells nothing; an empty agent in one that has them means a robot.
        agent = agent.with_null()
        codes, facts = agent.codes, agents.describe(agent.values)
        if hints := {name: logged[name].filled() for name in HINTS if name in logged}:
            codes, facts = refined(agent, facts, hints)
        texts = {name: EncodedText(codes, facts.column(name).combine_chunks()) for name in agents.TEXTS}
        is_bot = spread(facts.column("is_bot").to_numpy(), codes)
        ahead = logged["purpose"].containing(robots.ASKED_AHEAD) if "purpose" in logged else None
        for mask, reason in ((hosted if self.hosting else None, robots.HOSTED), (ahead, robots.AHEAD)):
            if mask is not None and (more := np.flatnonzero(mask & ~is_bot)).size:
                texts["bot_reason"] = texts["bot_reason"].put(more, EncodedText.constant(len(more), reason))
                texts["robot_class"] = texts["robot_class"].put(more, EncodedText.constant(len(more), robots.OTHER))
                is_bot = is_bot | mask
        return texts, is_bot

    def _sites(self, hosts: EncodedText, targets: EncodedText, site_of_log: str) -> EncodedText:
        """Return the site of each row: its virtual host; else, if none is known, that in an absolute target."""
        own = (site_of_log or self.site or NO_SITE).lower()
        hosts = hosts.filled()
        if not (site_of_log or self.site) and (asked := hosts_of(targets.filled())):
            hosts = hosts.otherwise(asked)
        return hosts.map(lambda values: pc.if_else(pc.equal(values, ""), own, values))

    def _requests(self, targets: EncodedText, site: EncodedText) -> _Requests:
        """Split and match each distinct target once; once for each site, if rules look at the site."""
        if not self.rules.sited:
            path, query = split_targets(targets.values)
            return _Requests(targets.codes, path, query, spread(self.rules.match(path.values), path.codes))
        pairs, codes = np.unique(targets.codes * np.int64(len(site.values)) + site.codes, return_inverse=True)
        target, at = np.divmod(pairs, len(site.values))
        path, query = split_targets(targets.values.take(pa.array(target)))
        rule = self.rules.match(path.values.take(pa.array(path.codes)), site.values.take(pa.array(at)))
        return _Requests(codes.astype(np.int32), path, query, rule)

    def _visitors(self, column: dict[str, EncodedText], times: pa.ChunkedArray) -> visitors.Hashes:
        who = self._who(column)
        if not self.period:
            return visitors.hashed(who, self.secret)
        assert self.key_of, "a period needs `key_of`"
        key_of, periods = self.key_of, times.cast(pa.int64()).to_numpy() // self.period
        return visitors.hashed_by_period(who, periods, lambda period: key_of((period + 1) * self.period // 1_000_000))

    def _who(self, column: dict[str, EncodedText]) -> list[EncodedText]:
        """Return the columns that identify a visitor: address, agent, and the configured field."""
        client = self._clients(column)
        if not self.prefix.whole:
            client = client.map(self.prefix.keep)
        return [client, column["agent"].filled(), column["user_id"].filled()]

    def _clients(self, column: dict[str, EncodedText]) -> EncodedText:
        """Return the address of each row's client, as a whole."""
        return self.proxies.clients(column["client"].filled(), column["forwarded"].filled())


def facts(batch: pa.Table) -> dict[str, pa.Array]:
    """Return those columns of events that follow from a line alone: no rule, key or setting has a part in them.

    Text is not cut to a limit. `site` is empty where the line does not say it, and the configuration does.
    """
    column = _Texts(batch)
    target = column["target"].filled()
    path, query = split_targets(target.values)
    texts = {
        "site": column["host"].filled(),
        "method": column["method"].filled(),
        "path": path.of_rows(target.codes),
        "query": EncodedText.cut(query).of_rows(target.codes),
        "referrer": _split_referrers(column["referrer"])[0],
        **{name: column[name].filled() for name in ("user", "protocol", "scheme", "tls", "cache")},
    }
    columns = {name: value.array() for name, value in texts.items()}
    return columns | {name: batch.column(name) for name in NUMBERS}


class _Texts(dict[str, EncodedText]):
    """The columns of text of a batch, each encoded when it is first asked for: most formats lack ten and more."""

    def __init__(self, batch: pa.Table) -> None:
        self._batch = batch

    def __missing__(self, name: str) -> EncodedText:
        self[name] = found = EncodedText.of(self._batch.column(name))
        return found

    def logged(self) -> dict[str, EncodedText]:
        """Return those that have a value."""
        rows = self._batch.num_rows
        return {
            field.name: self[field.name]
            for field in self._batch.schema
            if field.type == TEXT and self._batch.column(field.name).null_count < rows
        }


@dataclass(frozen=True, slots=True)
class _Requests:
    """The distinct requests of a batch: path, query, and the rule that matches each."""

    codes: Codes  # the request of each row
    path: EncodedText
    query: Slices
    rule: Codes

    def paths(self) -> EncodedText:
        """Return the path of each row."""
        return self.path.of_rows(self.codes)

    def queries(self) -> EncodedText:
        """Return the query string of each row."""
        return EncodedText.cut(self.query).of_rows(self.codes)

    def tags(self, rules: Rules, keys: TagKeys) -> tuple[Codes | None, list[Tags]]:
        """Return the number of the tags of each row, if there are any, and the distinct tags, of which number 0 is none."""
        begins = _BEGIN.view(np.bool_)[rules.kind_of(self.rule)]
        numbers, tags = read_tags(self.query, begins & (self.query.start < self.query.end), keys)
        return None if numbers is None else spread(numbers, self.codes), tags

    def parameters(self, rules: Rules, *, ids: bool) -> dict[str, EncodedText]:
        """Return the advertising dimensions of each row, and its join id, which is empty without `ids`."""
        found = rules.parameters(self.query, self.rule, ids=ids)
        return {name: texts.of_rows(self.codes) for name, texts in found.items()}


def _joined(taken: Mapping[str, EncodedText]) -> tuple[dict[str, EncodedText], pa.Array | None]:
    """Return what attribution joins by, and the values of orders: only what some row has, null where a row has none."""
    texts = {name: some for name in _JOINED if name in taken and (some := without_empty(taken[name])) is not None}
    value = without_empty(taken["value"]) if "value" in taken else None
    if value is None:
        return texts, None
    micros = amounts(value.values)
    return texts, micros.take(pa.array(value.codes, mask=value.codes < 0))


def _fields(values: pa.Array, pattern: str, *names: str) -> list[pa.Array]:
    """Return the named groups of a pattern (RE2), empty where it does not match."""
    found = pc.extract_regex(values, pattern)
    return [pc.fill_null(pc.struct_field(found, name), "") for name in names]


def _extensions(paths: EncodedText) -> EncodedText:
    """Return the extension of each path, in lower case."""
    values = Slices.of(paths.values)
    found = EncodedText.cut(Slices(values.data, urls.split_extensions(*values.places), values.end))
    return found.map(pc.utf8_lower).of_rows(paths.codes)


def _split_referrers(referrers: EncodedText) -> tuple[EncodedText, EncodedText]:
    """Split referring URLs into host (lower case, no port) and path."""
    referrers = referrers.filled()
    referring = Slices.of(referrers.values)
    host_start, host_end, path_start, path_end = urls.split_referrers(*referring.places)
    hosts = Slices(referring.data, host_start, host_end).text()
    paths = Slices(referring.data, path_start, path_end).text()
    paths = pc.if_else(pc.and_(pc.equal(paths, ""), pc.not_equal(hosts, "")), "/", paths)
    return EncodedText(referrers.codes, pc.utf8_lower(hosts)), EncodedText(referrers.codes, paths)


@dataclass(frozen=True, slots=True)
class _Hosts:
    """The distinct hosts of sites and referring pages, without `www.`, since sites use both forms interchangeably."""

    names: pa.Array
    of_sites: Codes  # the number of each site
    of_referrers: Codes  # and of each referrer; -1: it has none

    @classmethod
    def of(cls, site: EncodedText, referrer: EncodedText) -> _Hosts:
        codes, names = _bare(pa.concat_arrays([site.values, referrer.values])).encode()
        own, others = np.split(codes, [len(site.values)])
        return cls(names.view(pa.string()), own, masked(others, Column.of(referrer.values).lengths > 0, -1))


def _from_paths(
    kind: Codes, site: EncodedText, referrer: EncodedText, hosts: _Hosts, from_page: EncodedText
) -> EncodedText:
    """Return, for page views that came from a page of the same site, the path of that page."""
    pages = kinds.from_pages(kind, _PAGEVIEW, hosts.of_sites, site.codes, hosts.of_referrers, referrer.codes)
    return EncodedText(pages, from_page.values, nulls=True)


def _with_tagged(campaign: EncodedText, pages: Mask, tagged: Codes, tags: Sequence[Tags]) -> EncodedText:
    """Return campaigns with those of tagged links, for page views without one."""
    named = np.array([tag.campaign != "" for tag in tags])
    rows = np.flatnonzero(pages & campaign.equal("") & named[tagged])
    if not rows.size:
        return campaign
    return campaign.put(rows, EncodedText(tagged[rows], pa.array([tag.campaign for tag in tags], pa.string())))


def _bare(hosts: pa.Array) -> Slices:
    """Return hosts without a leading `www.`."""
    places = Slices.of(hosts)
    led = pc.starts_with(hosts, _WWW).to_numpy(zero_copy_only=False)
    return Slices(places.data, places.start + led * len(_WWW), places.end)
