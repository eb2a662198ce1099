"""The parameters of requests: the same names in the address of the page and in the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from logagg.errors import LogaggError
from logagg.explore.scope import COMPARE, DIMENSIONS, Scope
from logagg.lake_format import MODELS
from logagg.query.reports import BOTS
from logagg.serve.formats import MEDIA_TYPES

MOST_TEXT = 16_384  # characters of a query string


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, as the OpenAPI document describes it."""

    name: str
    help: str
    schema: Mapping[str, object]
    required: bool = False


_TEXT = {"type": "string"}
_LISTED = {"type": "array", "items": {"type": "string"}}
SCOPE = (
    Parameter(
        "since", "The start of the window: 24h (ago), today, yesterday, a date, a time; the default is 24h.", _TEXT
    ),
    Parameter("until", "The end of the window, not included; the default is now.", _TEXT),
    Parameter("compare", "The period to compare with.", {"type": "string", "enum": list(COMPARE)}),
    Parameter("bots", "Whether robots count.", {"type": "string", "enum": list(BOTS)}),
    Parameter(
        "is",
        f"DIMENSION:VALUE that events must have; of {', '.join(DIMENSIONS)}. Values of one are alternatives.",
        _LISTED,
    ),
    Parameter("not", "DIMENSION:VALUE that events must not have.", _LISTED),
    Parameter(
        "model", "How touches share a conversion, in the panel attribution.", {"type": "string", "enum": list(MODELS)}
    ),
    Parameter("tz", "The time zone of days, as Europe/Berlin; the default is UTC.", _TEXT),
)
FORMAT = Parameter("format", "The format, instead of the Accept header.", {"type": "string", "enum": list(MEDIA_TYPES)})

JSON_ONLY = Parameter("format", "This answer is not a table.", {"type": "string", "enum": ["json"]})


def whole(name: str, help: str, most: int, least: int = 1) -> Parameter:
    """Return the parameter for a whole number."""
    return Parameter(name, help, {"type": "integer", "minimum": least, "maximum": most})


def scope_of(query: QueryParams, now: float) -> Scope:
    """Return the scope that a request asks about. Raises LogaggError."""
    return Scope.of(
        now,
        since=query.get("since") or None,
        until=query.get("until") or None,
        compare=query.get("compare", "none"),
        bots=query.get("bots", "include"),
        is_=query.getlist("is"),
        is_not=query.getlist("not"),
        zone=query.get("tz", "UTC"),
        model=query.get("model", MODELS[0]),
    )


def number(query: QueryParams, name: str, default: int, most: int, least: int = 1) -> int:
    """Return a whole number. Raises LogaggError."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 18 and least <= int(text) <= most):
        raise LogaggError(f"{name}: {text[:40]!r} is not valid", f"write a number from {least:,} to {most:,}")
    return int(text)


def listed(query: QueryParams, name: str) -> list[str]:
    """Return the values of a list with commas."""
    return [one for one in query.get(name, "").split(",") if one]


def by_name(query: QueryParams, prefix: str) -> dict[str, str]:
    """Return the values of all parameters with this prefix, by the rest of their names."""
    return {key.removeprefix(prefix): value for key, value in query.items() if key.startswith(prefix)}


def refuse_unknown(query: QueryParams, known: frozenset[str], prefixes: tuple[str, ...] = ()) -> None:
    """Raise LogaggError for an unknown parameter: a misspelt filter must not be ignored, since it would filter nothing."""
    for name in query.keys():
        if name not in known and not name.startswith(prefixes):
            there_are = f"there are {', '.join(sorted(known))}" if known else "this address takes no parameters"
            raise LogaggError(f"no parameter {name[:100]!r}", there_are)
