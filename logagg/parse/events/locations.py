"""Where requests came from: by what the server logged, else by the databases; and the class of their networks.

An address is looked up as a whole, then forgotten: how much of it tells visitors apart is another setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pyarrow as pa

from logagg.columnar.encoded import EncodedText
from logagg.columnar.slices import Mask
from logagg.parse.events.addresses import undressed
from logagg.parse.geo import countries, networks
from logagg.parse.geo.layouts import as_number
from logagg.parse.geo.places import GeoSettings, shared

Columns = Mapping[str, EncodedText]

HOSTING = "hosting"


def located(logged: Columns, clients: Callable[[], EncodedText], geo: GeoSettings | None) -> dict[str, EncodedText]:
    """Return the columns of places that the log or a database can tell, without nulls.

    `logged` has those that the format has; `clients` returns the whole address of each row. A value of the line
    takes precedence over the database.
    """
    found = {name: texts.filled().map(_READ[name]) for name, texts in logged.items() if name in _READ}
    known = _looked_up(clients(), geo) if geo else {}
    for name, texts in known.items():
        found[name] = found[name].otherwise(texts) if name in found else texts
    ways = list(_classes(found))
    if ways:
        found["network"] = _first(ways)
    return found


def from_hosting(places: Columns) -> Mask | None:
    """Return a mask of the rows whose network is one of servers; None: no network is known."""
    return places["network"].equal(HOSTING) if "network" in places else None


def _looked_up(clients: EncodedText, geo: GeoSettings) -> dict[str, EncodedText]:
    plain = clients.map(undressed).distinct()
    return {name: EncodedText(plain.codes, values) for name, values in shared(geo).describe(plain.values).items()}


def _classes(found: Columns) -> Iterable[EncodedText]:
    """Yield the sources of a network's class, the surest first: its database, its number, its name."""
    if "network" in found:
        yield found["network"]
    if "asn" in found:
        yield found["asn"].map(networks.of_numbers)
    if "organization" in found:
        yield found["organization"].map(networks.of_names)


def _first(ways: list[EncodedText]) -> EncodedText:
    first, *others = ways
    for other in others:
        first = first.otherwise(other)
    return first


def _numbers(values: pa.Array) -> pa.Array:
    return pa.array(map(as_number, values.to_pylist()), pa.string())


def _as_they_are(values: pa.Array) -> pa.Array:
    return values


_READ: Mapping[str, Callable[[pa.Array], pa.Array]] = {
    "country": countries.codes,
    "city": _as_they_are,
    "asn": _numbers,
    "organization": _as_they_are,
}
