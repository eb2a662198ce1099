"""Rules: which requests are impressions, clicks and conversions, and the values of their query strings.

Rules look at distinct values only, and at whole columns of them: no Python runs per value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import spread
from logagg.columnar.encoded import EncodedText, shorten
from logagg.columnar.slices import Codes, Mask, Slices
from logagg.config.rules import KINDS, PAGE_STATUSES, PARAMETERS, TRACKING, RuleConfig
from logagg.config.sections import Config
from logagg.parse.events import kinds
from logagg.parse.text import urls
from logagg.parse.text.decode import decode_percent

Names = Mapping[str, tuple[str, ...]]  # dimension -> keys of a query string
Table = npt.NDArray[np.uint8]  # of booleans

CLICK_ID = "click_id"
JOINED = ("id", CLICK_ID, "order_id", "value", "currency")  # only requests have them
NONE = -1  # no rule matches

# Implicit rules after the user's: asset, then page view. Index -1 addresses the last one. Without a method field, GET is
# assumed.
_ASSET = RuleConfig("asset")
_PAGE = RuleConfig("pageview", methods=("GET",), status=PAGE_STATUSES)
_OTHER = KINDS.index("other")


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules compiled for columns; the first that matches a request decides."""

    rules: tuple[RuleConfig, ...]
    assets: tuple[str, ...] = ()  # extensions, lower case
    limit: int = 256  # characters of a parameter's value
    click_ids: tuple[str, ...] = ()  # keys with the id of a click, in the query strings of tracking requests and pages
    _all: tuple[RuleConfig, ...] = field(init=False, repr=False, compare=False)
    _kinds: Codes = field(init=False, repr=False, compare=False)
    _statuses: Table = field(init=False, repr=False, compare=False)
    # The distinct sets of parameters that rules take from queries.
    _names: Sequence[Names] = field(init=False, repr=False, compare=False)
    _takes: Codes = field(init=False, repr=False, compare=False)  # index of each rule's set among `_names`; -1: none

    def __post_init__(self) -> None:
        rules = (*map(self._with_click_ids, self.rules), _ASSET, self._with_click_ids(_PAGE))
        names = _distinct(rule.parameters for rule in rules if rule.parameters)
        takes = [names.index(rule.parameters) if rule.parameters else -1 for rule in rules]
        object.__setattr__(self, "_all", rules)
        object.__setattr__(self, "_kinds", np.array([KINDS.index(rule.kind) for rule in rules], np.int32))
        object.__setattr__(self, "_statuses", _status_table(rules))
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_takes", np.array(takes, np.int32))

    @classmethod
    def of(cls, config: Config) -> Rules:
        """Return the rules of a configuration."""
        ids = config.attribution.ids if config.attribution.enabled else ()
        return cls(config.rules, config.assets.extensions, config.limits.value, ids)

    @property
    def sited(self) -> bool:
        """Whether a rule looks at the site, so that `match` needs it."""
        return any(rule.site for rule in self.rules)

    def match(self, paths: pa.StringArray, sites: pa.StringArray | None = None) -> Codes:
        """Return, for each path, the index of the first rule that matches, the number of rules for an asset, or -1.

        `sites`, aligned with `paths`, is needed if `sited`; without it, rules that name a site match nothing.
        """
        matched = np.full(len(paths), NONE, np.int32)
        for index, rule in enumerate(self.rules):
            matched[(matched == NONE) & _matches(rule, paths, sites)] = index
        matched[(matched == NONE) & self._are_assets(paths)] = len(self.rules)
        return matched

    def kinds(self, matched: Codes, requests: Codes, status: npt.NDArray[np.int16], methods: EncodedText) -> Codes:
        """Return the kind of each row, as its index in `KINDS`.

        `requests` has the request of each row, `matched` the rule of each request. The kind is that of the matching rule,
        if the rule accepts status and method; otherwise `other`. Without a matching rule it is `pageview`, if status and
        method are those of a page view; otherwise `other`. A null method (the log does not have it) fits any rule.
        """
        allowed = _method_table(self._all, methods.values)
        return kinds.kinds(matched, requests, status, methods.codes, self._statuses, allowed, self._kinds, _OTHER)

    def kind_of(self, matched: Codes) -> Codes:
        """Return the kind that each matching rule gives, as its index in `KINDS`: that of a row may be `other`."""
        return spread(self._kinds, matched)

    def parameters(self, queries: Slices, matched: Codes, *, ids: bool = True) -> dict[str, EncodedText]:
        """Return what rules take from query strings, aligned with them; empty where absent. Without `ids` nothing to join by.

        `matched` has the rule of each query, since rules may take a dimension from different keys. The first listed key
        that a query contains wins, and its first value. Values are percent-decoded, then cut to the limit.
        """
        found = {name: EncodedText.constant(len(queries), "") for name in PARAMETERS}
        takes, has_query = spread(self._takes, matched), queries.start < queries.end
        for number, names in enumerate(self._names):
            some = np.flatnonzero(has_query & (takes == number))
            wanted = names if ids else {name: keys for name, keys in names.items() if name not in JOINED}
            for name, texts in self._taken(queries.take(some), wanted).items() if some.size else ():
                before = found.get(name) or EncodedText.constant(len(queries), "")
                found[name] = before.put(some, texts)
        return found

    def _with_click_ids(self, rule: RuleConfig) -> RuleConfig:
        """Return a rule that takes the ids of clicks, if it is one of tracking requests or pages."""
        if not self.click_ids or rule.kind not in (*TRACKING, "pageview") or CLICK_ID in rule.parameters:
            return rule
        return replace(rule, parameters={**rule.parameters, CLICK_ID: self.click_ids})

    def _are_assets(self, paths: pa.StringArray) -> Mask:
        """Return a mask of the paths with the extension of an asset; an extension may contain dots, as in `tar.gz`."""
        are_assets = np.zeros(len(paths), np.bool_)
        values = Slices.of(paths.fill_null("") if paths.null_count else paths)
        for dots in {1 + extension.count(".") for extension in self.assets}:
            extensions = EncodedText.cut(Slices(values.data, urls.find_extensions(*values.places, dots), values.end))
            are_assets |= extensions.map(pc.utf8_lower).among(self.assets)
        return are_assets

    def _taken(self, queries: Slices, names: Names) -> dict[str, EncodedText]:
        """Return the values that some query has, by name."""
        keys = [[key.encode() for key in some] for some in names.values()]
        starts, ends = urls.find_values(*queries.places, keys)
        values = (Slices(queries.data, start, end) for start, end in zip(starts, ends, strict=True))
        found = zip(names, values, strict=True)
        return {name: self._decoded(EncodedText.cut(some)) for name, some in found if (some.end > some.start).any()}

    def _decoded(self, texts: EncodedText) -> EncodedText:
        return texts.map(lambda values: shorten(decode_percent(values), self.limit))


def _distinct(values: Iterable[Names]) -> list[Names]:
    distinct: list[Names] = []
    for value in values:
        if value not in distinct:
            distinct.append(value)
    return distinct


def _matches(rule: RuleConfig, paths: pa.StringArray, sites: pa.StringArray | None) -> npt.NDArray[np.bool_]:
    """Return a mask of the rows that meet every condition of the rule."""
    conditions = [
        *([_is_in(paths, rule.path)] if rule.path else []),
        *([_any(pc.starts_with, paths, rule.prefix)] if rule.prefix else []),
        *([_any(pc.ends_with, paths, rule.suffix)] if rule.suffix else []),
        *([pc.match_substring_regex(paths, rule.regex)] if rule.regex else []),
        *([_at_site(sites, rule.site, len(paths))] if rule.site else []),
    ]
    met: npt.NDArray[np.bool_] = reduce(pc.and_, conditions).fill_null(False).to_numpy(zero_copy_only=False)
    return met


def _is_in(values: pa.StringArray, wanted: Sequence[str]) -> pa.Array:
    return pc.is_in(values, value_set=pa.array(wanted, pa.string()))


def _any(test: Callable[..., Any], values: pa.StringArray, patterns: Sequence[str]) -> pa.Array:
    return reduce(pc.or_, [test(values, pattern) for pattern in patterns])


def _at_site(sites: pa.StringArray | None, wanted: Sequence[str], rows: int) -> pa.Array:
    return pa.array(np.zeros(rows, np.bool_)) if sites is None else _is_in(sites, wanted)


def _status_table(rules: Sequence[RuleConfig]) -> Table:
    """Return [rule, status] -> counts."""
    table = np.zeros((len(rules), 1000), np.bool_)
    for index, rule in enumerate(rules):
        table[index, list(rule.status) or slice(None)] = True
    return table.view(np.uint8)


def _method_table(rules: Sequence[RuleConfig], methods: pa.StringArray) -> Table:
    """Return [rule, method] -> counts; the last column, which -1 addresses, means that there is no method.

    HEAD does not fetch an ad, so a rule cannot make it count as one.
    """
    table = np.ones((len(rules), len(methods) + 1), np.bool_)
    for index, rule in enumerate(rules):
        if rule.methods:
            table[index, :-1] = _is_in(methods, rule.methods).to_numpy(zero_copy_only=False)
        if rule.kind in TRACKING:
            table[index, :-1] &= pc.not_equal(methods, "HEAD").to_numpy(zero_copy_only=False)
    return table.view(np.uint8)
