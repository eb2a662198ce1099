"""The places of a column of addresses, from databases: each distinct one is looked up once, and the answer for its
network is remembered.

A process has each database once, whatever asks for it; parsers map the same file, so it takes memory once for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
from threading import Lock

import pyarrow as pa

from logagg.config.sections import Config
from logagg.errors import ConfigError
from logagg.notices import Notice, database_again, database_broken
from logagg.parse.geo.database import Database
from logagg.parse.geo.layouts import FIELDS, NOWHERE, Path, Place

REMEMBERED = 1 << 15  # networks and addresses: 6 MB
NETWORK = 24  # bits of a network that is remembered as a whole
_DOWNLOAD = "GeoLite2 (free account) or DB-IP Lite, for example, come as .mmdb"


@dataclass(frozen=True, slots=True)
class GeoSettings:
    """The databases, and which of their fields are kept; parsers get this object, and open the databases themselves."""

    paths: tuple[str, ...]
    city: bool = False
    country: Path = ()

    @classmethod
    def of(cls, config: Config) -> GeoSettings | None:
        """Return the settings of a configuration, None if it names no database. Raises ConfigError for one that cannot be used.

        A relative path begins at the folder of the configuration.
        """
        geo = config.geo
        if not geo.database:
            return None
        folder = config.path.parent if config.path else ""
        paths = tuple(os.path.normpath(os.path.join(folder, os.path.expanduser(path))) for path in geo.database)
        settings = cls(paths, geo.city, tuple(filter(None, geo.country_field.split("."))))
        shared(settings).require()
        return settings


class Places:
    """Some databases as one: of each field, the first that knows it decides. Thread-safe."""

    def __init__(self, settings: GeoSettings, limit: int = REMEMBERED) -> None:
        self.databases = [Database(path, settings.country) for path in settings.paths]
        self._city, self._limit = settings.city, limit
        self._known: dict[str, Place] = {}  # by address
        self._networks: dict[str, Place] = {}  # by three numbers of an address
        self._same: dict[Place, Place] = {}  # each place once, however many addresses it has
        self._changed: dict[str, Database] = {}  # not reported yet
        self._lock = Lock()

    def require(self) -> None:
        """Raise ConfigError for a database that was never readable."""
        self.changed()
        for one in self.databases:
            if one.problem and not one.is_usable:
                raise ConfigError(f"geo.database: {one.path}: {one.problem}", _DOWNLOAD)

    def changed(self) -> list[Database]:
        """Open the files that have changed; return their databases, and those that changed since the last call."""
        with self._lock:
            self._refresh()
            changed, self._changed = self._changed, {}
        return list(changed.values())

    def describe(self, addresses: pa.StringArray) -> dict[str, pa.Array]:
        """Return the fields that the databases have, each aligned with the addresses; give it distinct, plain ones."""
        with self._lock:
            self._refresh()
            places = [self._place(address) for address in addresses.to_pylist()]
            fields = frozenset().union(*(one.fields for one in self.databases))
        columns = zip(FIELDS, zip(*places, strict=True) if places else ((),) * len(FIELDS), strict=True)
        wanted = ((name, values) for name, values in columns if name in fields and (name != "city" or self._city))
        return {name: pa.array(values, pa.string()) for name, values in wanted}

    def _refresh(self) -> None:
        for one in self.databases:
            if one.refresh():
                self._forget()
                self._changed[one.path] = one

    def _place(self, address: str) -> Place:
        network = _network(address)
        known = self._networks.get(network) if network else self._known.get(address)
        if known is None and network:
            known = self._known.get(address)
        return known or self._found(address, network)

    def _found(self, address: str, network: str) -> Place:
        """Look an address up, and remember the place for its network where it holds for all of that."""
        if len(self._known) + len(self._networks) >= self._limit:
            self._forget()  # which takes less time than to note what is used
        plain = _unmapped(address)
        found = [one.get(plain) for one in self.databases] if address else []
        place = _first([place for place, _ in found]) if found else NOWHERE
        place = self._same.setdefault(place, place)
        if network and max(bits for _, bits in found) <= NETWORK:
            self._networks[network] = place
        else:
            self._known[address] = place
        return place

    def _forget(self) -> None:
        for one in (self._known, self._networks, self._same):
            one.clear()


def _network(address: str) -> str:
    """Return the first three numbers of an address of IPv4, which mostly tell its place; nothing of any other text."""
    network, _, last = address.rpartition(".")
    is_number = last.isdecimal() and last.isascii() and (last == "0" or last[0] != "0") and int(last) < 256
    return network if is_number and ":" not in network else ""


def _first(places: Sequence[Place]) -> Place:
    """Return of each field the first that is known."""
    if len(places) == 1:
        return places[0]
    return Place(*(next(filter(None, values), "") for values in zip(*places, strict=True)))


def _unmapped(address: str) -> str:
    """Return the IPv4 address within one of IPv6: not every database has these."""
    if ":" not in address or "ffff" not in address.lower():
        return address
    with suppress(ValueError):
        if mapped := IPv6Address(address).ipv4_mapped:
            return str(mapped)
    return address


@lru_cache(maxsize=2)  # the present settings, and those before a reload
def _made(settings: GeoSettings) -> Places:
    return Places(settings)


_making = Lock()


def shared(settings: GeoSettings) -> Places:
    """Return the databases of this process."""
    with _making:
        return _made(settings)


def changes(settings: GeoSettings | None) -> Iterator[Notice]:
    """Look at the files; yield a notice for each that has changed."""
    for one in shared(settings).changed() if settings else ():
        yield (
            database_broken(one.path, one.problem, one.is_usable) if one.problem else database_again(one.path, one.kind)
        )
