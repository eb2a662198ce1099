"""Columns of lines -> classified events: kind, dimensions, visitor, is_bot.

Everything that depends on one field is worked out once per distinct value and spread over the rows by their codes.
What depends on several fields (the kind, for one) is a few comparisons of whole columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.config import KINDS, PAGE_STATUSES, Config
from logagg.parse import convert, text, visitors
from logagg.parse.addresses import Prefix
from logagg.parse.agents import describe
from logagg.parse.fields import EVENT_SCHEMA
from logagg.parse.rules import DIMENSIONS, Rules
from logagg.rollup.sketches import latency_bucket

Codes = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Rule = npt.NDArray[np.int16]

NO_SITE = "-"
_PAGEVIEW, _OTHER = KINDS.index("pageview"), KINDS.index("other")
_PAGE_STATUS = np.isin(np.arange(1000), PAGE_STATUSES)


@dataclass(frozen=True, slots=True)
class Classifier:
    """Turns parsed lines into events by the rules of one configuration."""

    rules: Rules
    secret: bytes  # keys the visitor hash; at least 16 bytes
    site: str = ""  # of lines whose log names no virtual host
    forwarded: bool = False  # believe the first address of X-Forwarded-For
    limit: int = 256  # characters of a dimension value
    prefix: Prefix = Prefix()  # of an address, that tells visitors apart
    period: int = 0  # microseconds for which a visitor stays the same; 0: for ever
    key_of: Callable[[int], bytes] | None = None  # the key of the period that ends at a second

    @classmethod
    def of(cls, config: Config, secret: bytes, key_of: Callable[[int], bytes] | None = None) -> Classifier:
        """Build the classifier of a configuration; `key_of` is asked where it wants visitors to be new from time to time."""
        privacy = config.privacy
        prefix, period = Prefix(privacy.ipv4, privacy.ipv6), round((privacy.rotate or 0) * 1_000_000)
        return cls(Rules.of(config), secret, config.site, config.forwarded, config.limits.value, prefix, period, key_of)

    def classify(self, batch: pa.Table) -> pa.Table:
        """Return one event (`EVENT_SCHEMA`) per row of a batch (`BATCH_SCHEMA`), in the same order."""
        column = {name: _Words.of(batch.column(name)) for name in batch.schema.names if _is_text(batch, name)}
        site = self._sites(column["host"])
        path, query = _split_targets(column["target"])
        rule = self._match(path, site)
        kind = self._kinds(batch, column["method"], rule)
        referrer, from_page = _split_referrers(column["referrer"])
        words = {
            "site": site,
            "method": column["method"].filled(),
            "path": path,
            "referrer": referrer,
            "from_path": _from_paths(kind == _PAGEVIEW, site, referrer, from_page),
            "cache": column["cache"],
            **self._parameters(query, rule),
        }
        # No agent in the format says nothing; an empty one, where others have theirs, says robot.
        agent = column["agent"].with_null()
        described = describe(agent.values)
        words |= {name: _Words(agent.codes, described.column(name).combine_chunks()) for name in ("browser", "os", "device")}
        columns = {name: value.bounded(self.limit).array() for name, value in words.items()}
        columns["kind"] = _Words(kind, pa.array(KINDS)).array()
        columns |= {name: batch.column(name) for name in ("time", "status", "bytes", "seconds", "upstream_seconds")}
        columns["is_bot"] = pa.array(described.column("is_bot").to_numpy()[agent.codes])
        columns["bucket"] = latency_bucket(batch.column("seconds").combine_chunks())
        columns["visitor"] = pa.array(self._visitors(column, batch.column("time")))
        return pa.table([columns[name] for name in EVENT_SCHEMA.names], schema=EVENT_SCHEMA)

    def _sites(self, hosts: _Words) -> _Words:
        own = (self.site or NO_SITE).lower()
        hosts = hosts.filled()
        return hosts.map(lambda values: pc.if_else(pc.equal(values, ""), own, values))

    def _match(self, path: _Words, site: _Words) -> Rule:
        """Return the rule of each row, -1 for none."""
        if not self.rules.sited:
            return self.rules.match(path.values)[path.codes]
        pairs, codes = np.unique(path.codes * np.int64(len(site.values)) + site.codes, return_inverse=True)
        paths, sites = np.divmod(pairs, len(site.values))
        return self.rules.match(path.values.take(pa.array(paths)), site.values.take(pa.array(sites)))[codes]

    def _kinds(self, batch: pa.Table, method: _Words, rule: Rule) -> Codes:
        status = batch.column("status").to_numpy()
        counted = self.rules.counts(rule, status, method.array())
        ruled = np.array([KINDS.index(kind) for kind in self.rules.kinds], np.int32)[rule]
        # A log that names no method is believed to be of people who get pages.
        is_page = (method.equal("GET") | (method.codes < 0)) & _PAGE_STATUS[status]
        unruled = np.where(is_page, _PAGEVIEW, _OTHER)
        return np.where(rule < 0, unruled, np.where(counted, ruled, _OTHER)).astype(np.int32)

    def _parameters(self, query: _Words, rule: Rule) -> dict[str, _Words]:
        """Return the advertising dimensions; empty on rows without a query, or that no rule matched."""
        rows = np.flatnonzero((rule >= 0) & ~query.equal(""))
        found = {name: _Words.constant(len(rule), "") for name in DIMENSIONS}
        if not len(rows):
            return found
        queries, rules, codes = self._asked(query.codes[rows], rule[rows])
        values = self.rules.parameters(query.values.take(pa.array(queries)), rules)
        return {name: words.put(rows, codes, values[name]) for name, words in found.items()}

    def _asked(self, queries: Codes, rule: Rule) -> tuple[Codes, Rule, Codes]:
        """Return the distinct pairs of query and rule, and which of them each row has."""
        if self.rules.sited:
            pairs, codes = np.unique(queries * np.int64(1 << 16) + rule, return_inverse=True)
            return (pairs >> 16).astype(np.int32), (pairs & 0xFFFF).astype(np.int16), codes.astype(np.int32)
        # The path alone decides the rule, and each value of the query column belongs to one target.
        rule_of = np.full(int(queries.max()) + 1, -1, np.int16)
        rule_of[queries] = rule
        distinct = np.flatnonzero(rule_of >= 0).astype(np.int32)
        place = np.empty(len(rule_of), np.int32)
        place[distinct] = np.arange(len(distinct))
        return distinct, rule_of[distinct], place[queries]

    def _visitors(self, column: dict[str, _Words], times: pa.ChunkedArray) -> visitors.Hashes:
        who = self._who(column)
        if not self.period:
            return _hashed(who, self.secret)
        assert self.key_of, "who asks for periods has keys for them"
        hashes = np.empty(len(times), np.uint64)
        for period, rows in _by_period(times.cast(pa.int64()).to_numpy() // self.period):
            key = self.key_of((period + 1) * self.period // 1_000_000)
            hashes[rows] = _hashed([words.take(rows) for words in who], key)
        return hashes

    def _who(self, column: dict[str, _Words]) -> list[_Words]:
        """Return what tells visitors apart: address, agent, and the field that is configured for it."""
        client = column["client"].filled()
        if self.forwarded:
            client = _first_forwarded(column["forwarded"].filled()).otherwise(client)
        if not self.prefix.whole:
            client = client.map(self.prefix.keep)
        return [client, column["agent"].filled(), column["user_id"].filled()]


def _hashed(who: list[_Words], secret: bytes) -> visitors.Hashes:
    client, agent, known = who
    hashes = visitors.combine(_hash(client, secret, 0), _hash(agent, secret, 1))
    unknown = known.equal("")
    return hashes if unknown.all() else np.where(unknown, hashes, _hash(known, secret, 2))


def _hash(words: _Words, secret: bytes, field: int) -> visitors.Hashes:
    key = bytes(byte ^ field for byte in secret[:16])
    return visitors.siphash(words.values, key)[words.codes]


def _by_period(periods: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Return the rows of each period."""
    order = np.argsort(periods, kind="stable")
    distinct, starts = np.unique(periods[order], return_index=True)
    yield from zip(distinct.tolist(), np.split(order, starts[1:]), strict=False)


@dataclass(frozen=True, slots=True)
class _Words:
    """A text column: distinct values, and each row's place among them (-1: null)."""

    codes: Codes
    values: pa.Array

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> _Words:
        array = column.combine_chunks()
        codes = pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False)
        return cls(codes, array.dictionary)

    @classmethod
    def constant(cls, rows: int, value: str) -> _Words:
        return cls(np.zeros(rows, np.int32), pa.array([value], pa.string()))

    def distinct(self) -> _Words:
        """Return the same with each value once, after a change that made many values alike."""
        encoded = self.values.dictionary_encode()
        codes = np.append(encoded.indices.to_numpy(zero_copy_only=False), np.int32(-1))[self.codes]
        return _Words(codes, encoded.dictionary)

    def take(self, rows: npt.NDArray[np.int64]) -> _Words:
        """Return the words of some rows, and no others."""
        distinct, codes = np.unique(self.codes[rows], return_inverse=True)
        return _Words(codes.astype(np.int32), self.values.take(pa.array(distinct)))

    def array(self) -> pa.DictionaryArray:
        null = self.codes < 0
        return pa.DictionaryArray.from_arrays(pa.array(self.codes, mask=null if null.any() else None), self.values)

    def map(self, change: Callable[[pa.Array], pa.Array]) -> _Words:
        return _Words(self.codes, change(self.values))

    def filled(self) -> _Words:
        """Return the same with empty text for null."""
        null = self.codes < 0
        if not null.any():
            return self
        return _Words(np.where(null, len(self.values), self.codes).astype(np.int32), _append(self.values, ""))

    def with_null(self) -> _Words:
        """Return the same with a null among the values for the rows that have none."""
        null = self.codes < 0
        if not null.any():
            return self
        values = pa.concat_arrays([self.values, pa.nulls(1, pa.string())])
        return _Words(np.where(null, len(self.values), self.codes).astype(np.int32), values)

    def otherwise(self, other: _Words) -> _Words:
        """Return the same with the other's value where this one is empty."""
        codes = np.where(self.equal(""), other.codes + len(self.values), self.codes)
        return _Words(codes.astype(np.int32), pa.concat_arrays([self.values, other.values]))

    def put(self, rows: npt.NDArray[np.int64], codes: Codes, values: pa.Array) -> _Words:
        """Return the same with other values at some rows."""
        changed = self.codes.copy()
        changed[rows] = codes + len(self.values)
        return _Words(changed, pa.concat_arrays([self.values, values]))

    def equal(self, value: str) -> Mask:
        return np.append(_mask(pc.equal(self.values, value)), False)[self.codes]

    def bounded(self, limit: int) -> _Words:
        """Return the same with each value once, cut to its first `limit` characters."""
        return self.map(lambda values: text.shorten(values, limit)).distinct()


def _is_text(table: pa.Table, name: str) -> bool:
    return pa.types.is_dictionary(table.schema.field(name).type)


def _mask(values: pa.Array) -> Mask:
    return values.to_numpy(zero_copy_only=False)


def _append(values: pa.Array, value: str) -> pa.Array:
    return pa.concat_arrays([values, pa.array([value], pa.string())])


def _fields(values: pa.Array, pattern: str, *names: str) -> list[pa.Array]:
    """Return the named groups of a pattern (RE2), empty where it does not match."""
    found = pc.extract_regex(values, pattern)
    return [pc.fill_null(pc.struct_field(found, name), "") for name in names]


def _split_targets(targets: _Words) -> tuple[_Words, _Words]:
    """Split request targets into path and query; a proxy's absolute target loses scheme and host."""
    targets = targets.filled()
    values = targets.values
    if not pc.all(pc.starts_with(values, "/")).as_py():
        values = pc.replace_substring_regex(values, r"(?s)\A[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "")
    path, query = convert.split_url(values)
    return _Words(targets.codes, path).distinct(), _Words(targets.codes, query)


def _split_referrers(referrers: _Words) -> tuple[_Words, _Words]:
    """Split referring URLs into host (lower case, no port) and path."""
    referrers = referrers.filled()
    pattern = r"(?s)\A[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>\[[^\]/?#]*\]|[^:/?#]*)(?::[0-9]*)?(?P<path>/[^?#]*)?"
    host, path = _fields(referrers.values, pattern, "host", "path")
    path = pc.if_else(pc.and_(pc.equal(path, ""), pc.not_equal(host, "")), "/", path)
    return _Words(referrers.codes, pc.utf8_lower(host)), _Words(referrers.codes, path)


def _from_paths(is_view: Mask, site: _Words, referrer: _Words, from_page: _Words) -> _Words:
    """Return, for page views that came from a page of the same site, the path of that page."""
    names = pa.concat_arrays([_bare(site.values), _bare(referrer.values)]).dictionary_encode()
    number = names.indices.to_numpy()
    same = number[site.codes] == number[len(site.values) + referrer.codes]
    inside = is_view & same & ~referrer.equal("")
    return _Words(np.where(inside, from_page.codes, -1).astype(np.int32), from_page.values)


def _bare(hosts: pa.Array) -> pa.Array:
    """Hosts without a leading `www.`, which sites use for one another."""
    return pc.replace_substring_regex(hosts, r"\Awww\.", "")


def _first_forwarded(forwarded: _Words) -> _Words:
    """Return the first address of each X-Forwarded-For: the client, if every proxy is to be trusted."""
    return forwarded.map(lambda values: _fields(values, r"\A\s*(?P<first>[^,\s]*)", "first")[0])
