"""Names of countries as some servers log them, to the codes that all others have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc

UNKNOWN = ("XX", "ZZ", "--")  # the codes of CDNs for an unknown country

_NO_COUNTRIES = ("XK", "EU", "AP", "T1", "A1", "A2", "O1")

# Names that the table of the time zones has in another form.
_ALSO = {
    "samoa": "WS", "united kingdom": "GB", "great britain": "GB", "south korea": "KR", "korea republic of": "KR", "north korea": "KP",
    "russian federation": "RU", "viet nam": "VN", "czechia": "CZ", "turkiye": "TR", "türkiye": "TR",
    "iran islamic republic of": "IR", "syrian arab republic": "SY", "hong kong": "HK", "macao": "MO", "taiwan": "TW",
    "united states of america": "US", "the netherlands": "NL", "myanmar": "MM", "ivory coast": "CI",
    "moldova republic of": "MD", "tanzania united republic of": "TZ", "republic of korea": "KR",
    "bolivia plurinational state of": "BO", "venezuela bolivarian republic of": "VE", "north macedonia": "MK",
    "brunei darussalam": "BN", "palestinian territory": "PS", "palestine": "PS", "eswatini": "SZ", "cape verde": "CV",
    "congo": "CG", "congo the democratic republic of the": "CD", "democratic republic of the congo": "CD",
}  # fmt: skip


def codes(values: pa.Array) -> pa.Array:
    """Return codes in capitals; names become codes, and other texts stay as they are."""
    lengths = pc.utf8_length(values)
    found = pc.if_else(pc.equal(lengths, 2), pc.utf8_upper(values), values)
    found = pc.if_else(pc.is_in(found, value_set=pa.array(UNKNOWN)), "", found)
    if not pc.any(pc.greater(lengths, 2)).as_py():
        return found
    named = _named()
    return pa.array([named.get(_plain(one), one) if len(one) > 2 else one for one in found.to_pylist()], pa.string())


@cache
def known_codes() -> frozenset[bytes]:
    """Return the codes that logs have: those of countries, and those of CDNs and databases for none, several, or Tor."""
    return frozenset(code.encode() for code in (*_named().values(), *UNKNOWN, *_NO_COUNTRIES))


@cache
def _named() -> Mapping[str, str]:
    table = (files("tzdata.zoneinfo") / "iso3166.tab").read_text("utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return {_plain(name): code for code, name in rows} | {_plain(name): code for name, code in _ALSO.items()}


def _plain(name: str) -> str:
    """Return a name in small letters and without signs: "Korea (South)" is south korea."""
    named = re.fullmatch(r"([^(]*)\(([^)]*)\)", name.strip())
    text = f"{named[2]} {named[1]}" if named else name
    words = re.sub(r"[^\w\s]", " ", text.casefold().replace("&", " and ").replace(".", "")).split()
    return " ".join("saint" if word == "st" else word for word in words)
