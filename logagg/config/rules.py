"""`[[rule]]` and `[[rollup]]`: their values, the default rules, and how tables of the file are read into them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from logagg.config.toml import FILE, Location, converted, refuse_unknown
from logagg.config.types import duration, one_of, text, texts

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
    "id": ("id",),
}
# What conversions have besides.
ORDER: Mapping[str, tuple[str, ...]] = {
    "order_id": ("order", "order_id", "transaction_id"),
    "value": ("value",),
    "currency": ("currency",),
}
NAMES = (*PARAMETERS, "click_id", *ORDER)  # all that a rule may take from a query string


def parameters_of(kind: str) -> Mapping[str, tuple[str, ...]]:
    """Return what rules of a kind take if they do not say it, but for the ids of clicks, which a setting names."""
    return {**PARAMETERS, **ORDER} if kind == "conversion" else PARAMETERS if kind in TRACKING else {}


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
    return RuleConfig(kind, path=paths, status=TRACKING_STATUSES, methods=METHODS, parameters=parameters_of(kind))


DEFAULT_RULES = (
    _tracking("impression", "/imp", "/impression", "/pixel.gif"),
    _tracking("click", "/click"),
    _tracking("conversion", "/conversion", "/conv"),
)


def _regex(value: object) -> str:
    import pyarrow as pa  # large, and only a file with patterns needs it
    import pyarrow.compute as pc

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


def read_rule(place: Location, table: Mapping[str, Any]) -> RuleConfig:
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
    return RuleConfig(**values, parameters={**parameters_of(values["kind"]), **given})


def _parameters(place: Location, table: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise place.error("parameters", "is a section", 'write [rule.parameters] and below it ad = ["ad"]')
    refuse_unknown(place, table, NAMES, "parameters.")
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


def read_rollup(place: Location, table: Mapping[str, Any]) -> RollupConfig:
    refuse_unknown(place, table, _ROLLUP_KEYS)
    for key, example in {"name": '"slow"', "dimensions": '["path"]', "measures": '{hits = "count"}'}.items():
        if key not in table:
            raise place.error(key, "is missing", f"write {key} = {example}")
    values = {key: converted(place, key, convert, table[key]) for key, convert in _ROLLUP_KEYS.items() if key in table}
    return RollupConfig(**values, place=place)


def refuse_twins(rollups: Iterable[RollupConfig]) -> None:
    seen = set[str]()
    for rollup in rollups:
        if rollup.name.lower() in seen:
            raise rollup.place.error("name", f'there is a rollup "{rollup.name}" already', "give it another name")
        seen.add(rollup.name.lower())
