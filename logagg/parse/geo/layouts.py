"""How databases lay out their facts about an address: MaxMind, DB-IP, IPinfo and those who follow one of them.

A record is a tree; each field may be in one of several places, and the first that has it decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Path = tuple[str, ...]
Read = Callable[[object], str]

FIELDS = ("country", "city", "asn", "organization", "network")
NETWORKS = ("hosting", "isp", "business", "education", "government")


class Place(NamedTuple):
    """The facts about an address; empty where unknown."""

    country: str = ""  # ISO 3166-1, two letters
    city: str = ""  # its English name
    asn: str = ""  # such as AS64496
    organization: str = ""  # that the network belongs to
    network: str = ""  # one of `NETWORKS`, where the database itself says it


NOWHERE = Place()

# Names of the kinds of networks in databases that are not in `NETWORKS`.
_CALLED = {
    **dict.fromkeys(("content_delivery_network", "search_engine_spider", "cdn"), "hosting"),
    **dict.fromkeys(("residential", "cellular", "router", "cafe", "traveler"), "isp"),
    **dict.fromkeys(("college", "school", "library"), "education"),
    "military": "government",
}
_NUMBER = re.compile(r"(?i)\s*(?:AS)?0*([1-9][0-9]{0,9})\b")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a database has its fields: of each, the places to look at, and how to read the value."""

    places: tuple[tuple[tuple[Path, Read], ...], ...]  # by `FIELDS`

    @classmethod
    def any(cls, country: Path = ()) -> Layout:
        """Return all places that are known; `country` is that of the country in a layout of another kind."""
        return cls(tuple(((country, _text),) if country and name == "country" else _PLACES[name] for name in FIELDS))

    @classmethod
    def of(cls, records: Iterable[object], country: Path = (), also: Container[str] = ()) -> Layout:
        """Return the places at which some records have something; and all those of the fields in `also`, if none has."""
        found = tuple(records)
        return cls(
            tuple(_used(found, one, name in also) for name, one in zip(FIELDS, cls.any(country).places, strict=True))
        )

    @property
    def fields(self) -> frozenset[str]:
        """The fields that a database of this layout has."""
        return frozenset(name for name, places in zip(FIELDS, self.places, strict=True) if places)

    def place(self, record: object) -> Place:
        """Return what a record says."""
        if not isinstance(record, dict):
            return NOWHERE
        return Place(*[_first(record, places) if places else "" for places in self.places])


def as_number(value: object) -> str:
    """Return the number of an autonomous system as AS64496; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    found = _NUMBER.match(str(value))
    return f"AS{found[1]}" if found else ""


def _used(
    records: Sequence[object], places: tuple[tuple[Path, Read], ...], expected: bool
) -> tuple[tuple[Path, Read], ...]:
    used = tuple((path, read) for path, read in places if any(read(_at(record, path)) for record in records))
    return used or (places if expected else ())


def _first(record: dict[str, Any], places: tuple[tuple[Path, Read], ...]) -> str:
    for path, read in places:
        if found := read(_at(record, path)):
            return found
    return ""


def _at(record: Any, path: Path) -> object:
    for key in path:
        if not isinstance(record, dict):
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


def _hosting(value: object) -> str:
    return "hosting" if value is True else ""


def _all(read: Read, *paths: str) -> tuple[tuple[Path, Read], ...]:
    return tuple((tuple(path.split(".")), read) for path in paths)


_PLACES: Mapping[str, tuple[tuple[Path, Read], ...]] = {
    "country": _all(_code, "country.iso_code", "country_code", "country"),
    "city": _all(_text, "city.names.en", "city.name", "city", "city_name"),
    "asn": _all(
        as_number, "autonomous_system_number", "traits.autonomous_system_number", "asn.asn", "asn", "as_number"
    ),
    "organization": _all(
        _text,
        *("autonomous_system_organization", "traits.autonomous_system_organization", "asn.name", "as_name"),
        *("as_organization", "organization", "traits.organization", "isp", "name"),
    ),
    "network": (
        *_all(_class, "traits.user_type", "user_type", "asn.type", "as_type", "type"),
        *_all(_hosting, "is_hosting_provider", "traits.is_hosting_provider", "is_hosting", "hosting"),
    ),
}
