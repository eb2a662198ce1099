"""Rules: which requests are impressions, clicks and conversions, and what their query strings say.

Rules look at distinct values only, and at whole columns of them: no Python runs per value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.codes import spread_pairs
from logagg.config import PARAMETERS, TRACKING, Config, RuleConfig
from logagg.parse import urls
from logagg.parse.slices import Codes, Mask, Slices
from logagg.parse.text import decode_percent
from logagg.parse.words import Words

Names = Mapping[str, tuple[str, ...]]  # dimension -> keys of a query string

DIMENSIONS = tuple(PARAMETERS)
NONE = -1  # no rule matches

Table = npt.NDArray[np.uint8]  # of truths


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules compiled for columns; the first that matches a request decides."""

    rules: tuple[RuleConfig, ...]
    limit: int = 256  # characters of a parameter's value
    _statuses: Table = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_statuses", _status_table(self.rules))

    @classmethod
    def of(cls, config: Config) -> Rules:
        """Return the rules of a configuration, and last of all the one for assets."""
        return cls((*config.rules, *_asset_rules(config.assets.extensions)), config.limits.value)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind that each rule gives."""
        return tuple(rule.kind for rule in self.rules)

    @property
    def sited(self) -> bool:
        """Whether a rule looks at the site, so that `match` needs it."""
        return any(rule.site for rule in self.rules)

    def match(self, paths: pa.StringArray, sites: pa.StringArray | None = None) -> Codes:
        """Return, for each path, the index of the first rule that matches, or -1.

        `sites`, aligned with `paths`, is needed where `sited`; without it, rules that name a site match nothing.
        """
        matched = np.full(len(paths), NONE, np.int32)
        for index, rule in enumerate(self.rules):
            matched[(matched == NONE) & _matches(rule, paths, sites)] = index
        return matched

    def counts(self, matched: Codes, status: Codes, methods: Words) -> Mask:
        """Say for each request whether the rule that matched it counts its status and method; False where none did.

        A request that matches a rule and does not count is of kind `other`. A null method (the log names none) is one
        that any rule takes.
        """
        allowed = _method_table(self.rules, methods.values)
        return spread_pairs(self._statuses, matched, status) & spread_pairs(allowed, matched, methods.codes)

    def parameters(self, queries: pa.StringArray, matched: Codes) -> dict[str, Words]:
        """Return campaign, ad and placement of query strings, aligned with them; empty text where absent.

        `matched` names the rule of each: rules may take a dimension from different keys. Of the keys listed for it the
        first that a query has wins, and of that its first value. Values are percent-decoded, then cut to the limit.
        """
        found = {name: Words.constant(len(queries), "") for name in DIMENSIONS}
        places = Slices.of(queries)
        for rows, names in self._by_names(matched):
            for name, words in self._taken(places.take(rows), names).items():
                found[name] = found[name].put(rows, words)
        return found

    def _by_names(self, matched: Codes) -> list[tuple[npt.NDArray[np.int64], Names]]:
        """Return the rows, grouped by what their rules take from a query."""
        wanted: list[Names] = [*(rule.parameters for rule in self.rules), {}]
        group = np.array([wanted.index(names) for names in wanted])[matched]
        return [(np.flatnonzero(group == number), wanted[number]) for number in np.unique(group).tolist()]

    def _taken(self, queries: Slices, names: Names) -> dict[str, Words]:
        keys = [[key.encode() for key in some] for some in names.values()]
        starts, ends = urls.find_values(*queries.places, keys)
        values = (Slices(queries.data, start, end) for start, end in zip(starts, ends, strict=True))
        return {name: self._decoded(Words.cut(some)) for name, some in zip(names, values, strict=True)}

    def _decoded(self, words: Words) -> Words:
        return words.map(lambda values: pc.utf8_slice_codeunits(decode_percent(values), 0, self.limit))


def _asset_rules(extensions: Sequence[str]) -> list[RuleConfig]:
    if not extensions:
        return []
    return [RuleConfig("asset", regex=rf"(?i)\.(?:{'|'.join(map(re.escape, extensions))})\z")]


def _matches(rule: RuleConfig, paths: pa.StringArray, sites: pa.StringArray | None) -> npt.NDArray[np.bool_]:
    """Say which rows meet every condition that the rule gives."""
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
    """Return [rule, status] -> counts; the last row, which -1 reaches, is no rule."""
    table = np.zeros((len(rules) + 1, 1000), np.bool_)
    for index, rule in enumerate(rules):
        table[index, list(rule.status) or slice(None)] = True
    return table.view(np.uint8)


def _method_table(rules: Sequence[RuleConfig], methods: pa.StringArray) -> Table:
    """Return [rule, method] -> counts; the last row, which -1 reaches, is no rule, and the last column no method.

    HEAD asks for no ad, so no rule can make it count as one.
    """
    table = np.ones((len(rules) + 1, len(methods) + 1), np.bool_)
    for index, rule in enumerate(rules):
        if rule.methods:
            table[index, :-1] = _is_in(methods, rule.methods).to_numpy(zero_copy_only=False)
        if rule.kind in TRACKING:
            table[index, :-1] &= pc.not_equal(methods, "HEAD").to_numpy(zero_copy_only=False)
    return table.view(np.uint8)
