"""How databases lay out what they know of an address: MaxMind, DB-IP, IPinfo and those who follow one of them.

A record is a tree; each field may stand in one of several places, and the first that has it decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Path = tuple[str, ...]

FIELDS = ("country", "city", "asn", "organization", "network")
NETWORKS = ("hosting", "isp", "business", "education", "government")


class Place(NamedTuple):
    """What is known of an address; empty where nothing is."""

    country: str = ""  # ISO 3166-1, two letters
    city: str = ""  # its English name
    asn: str = ""  # such as AS64496
    organization: str = ""  # that the network belongs to
    network: str = ""  # one of `NETWORKS`, where the database itself says it


NOWHERE = Place()

_COUNTRY: tuple[Path, ...] = (("country", "iso_code"), ("country_code",), ("country",))
_CITY: tuple[Path, ...] = (("city", "names", "en"), ("city", "name"), ("city",), ("city_name",))
_ASN: tuple[Path, ...] = (
    ("autonomous_system_number",),
    ("traits", "autonomous_system_number"),
    ("asn", "asn"),
    ("asn",),
    ("as_number",),
)
_ORGANIZATION: tuple[Path, ...] = (
    ("autonomous_system_organization",),
    ("traits", "autonomous_system_organization"),
    ("asn", "name"),
    ("as_name",),
    ("as_organization",),
    ("organization",),
    ("traits", "organization"),
    ("isp",),
    ("name",),
)
_NETWORK: tuple[Path, ...] = (("traits", "user_type"), ("user_type",), ("asn", "type"), ("as_type",), ("type",))
_IS_HOSTING: tuple[Path, ...] = (
    ("is_hosting_provider",),
    ("traits", "is_hosting_provider"),
    ("is_hosting",),
    ("hosting",),
)
# What databases call the users of a network, where that is not one of `NETWORKS`.
_CALLED = {
    **dict.fromkeys(("content_delivery_network", "search_engine_spider", "cdn"), "hosting"),
    **dict.fromkeys(("residential", "cellular", "router", "cafe", "traveler"), "isp"),
    **dict.fromkeys(("college", "school", "library"), "education"),
    "military": "government",
}
_NUMBER = re.compile(r"(?i)\s*(?:AS)?0*([1-9][0-9]{0,9})\b")


def place_of(record: object, country: Path = ()) -> Place:
    """Return what a record says; `country` is the place of the country in a layout of another kind."""
    if not isinstance(record, Mapping):
        return NOWHERE
    return Place(
        _first(record, (country,), _text) if country else _first(record, _COUNTRY, _code),
        _first(record, _CITY, _text),
        _first(record, _ASN, as_number),
        _first(record, _ORGANIZATION, _text),
        _first(record, _NETWORK, _class)
        or _first(record, _IS_HOSTING, lambda is_so: "hosting" if is_so is True else ""),
    )


def as_number(value: object) -> str:
    """Return the number of an autonomous system as AS64496; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    found = _NUMBER.match(str(value))
    return f"AS{found[1]}" if found else ""


def _first(record: Mapping[str, Any], paths: tuple[Path, ...], read: Callable[[object], str]) -> str:
    return next((found for path in paths if (found := read(_at(record, path)))), "")


def _at(record: Any, path: Path) -> object:
    for key in path:
        if not isinstance(record, Mapping):
            return None
        record = record.get(key)
    return record


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _code(value: object) -> str:
    """Return a country's code; a field that is called so may have its name."""
    return value.upper() if isinstance(value, str) and len(value) == 2 else ""


def _class(value: object) -> str:
    called = value.lower() if isinstance(value, str) else ""
    return called if called in NETWORKS else _CALLED.get(called, "")
