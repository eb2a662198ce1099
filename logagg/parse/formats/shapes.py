"""The shapes of values: a value that a server writes has the shape of its field, or the line is of another format.

`lines/shapes.pxd` has the same for the compiled scanner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_HEX = b"0123456789abcdefABCDEF:."
_NAME = re.compile(rb"[A-Za-z0-9_\x80-\xff][A-Za-z0-9._\x80-\xff-]*+\Z")
_IPV4 = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_HIDDEN = re.compile(rb"-:[0-9]{1,5}\Z")  # an address that is not logged, and its port
_IPV4_PORT = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}:[0-9]{1,5}\Z")
_PORT = re.compile(rb":[0-9]{1,5}\Z")
_ZONE = re.compile(rb"[A-Za-z0-9._-]+\Z")
_DECIMAL = re.compile(rb"[0-9]{1,7}\.(?:[0-9]{3,4}|[0-9]{6})\Z")
_CACHE = frozenset(b"hit miss bypass expired stale updating revalidated scarce pass pipe synth".split())
_NO_HOST = frozenset(range(33)) | frozenset(b'"<>|/,;=\x7f')
_DASH = (b"", b"-")
_WITH_ADDRESS = ("address", "socket")  # kinds of clients
_SITE = re.compile(rb"(?:[A-Za-z0-9_\x80-\xff-]++\.)++[A-Za-z\x80-\xff][A-Za-z0-9_\x80-\xff-]++\.?\Z|localhost\Z")
_BEFORE_PORT = re.compile(rb"[A-Za-z0-9._\x80-\xff-]++\Z")
_COUNTRY = re.compile(rb"[A-Z]{2}\Z")
_NUMBER = re.compile(rb"[0-9.]++\Z")
_CLOCK = re.compile(rb":[0-9]{2}\Z")
_OFFSET = re.compile(rb"[+-][0-9]{4}(?![0-9])")
_NO_WORD = frozenset(range(33)) | frozenset(b'":.\x7f')
_TAG = re.compile(rb"[A-Z][A-Z_]*+\Z")  # of Squid: TCP_MISS, HIER_DIRECT
_KEY = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]*+=")


def _is_ipv6(value: bytes) -> bool:
    """Tell whether these are hexadecimal digits with seven colons, or with two in a row; a zone may follow."""
    digits, percent, zone = value.partition(b"%")
    if digits.translate(None, _HEX) or (percent and not _ZONE.match(zone)):
        return False
    return b"::" in digits or digits.count(b":") == 7


def _kind_of_client(value: bytes) -> str:
    """Return what one client is: an address, one with a port (a socket), or a name; empty for anything else."""
    if value.startswith(b"["):
        inner, bracket, port = value[1:].partition(b"]")
        if not bracket or not _is_ipv6(inner) or (port and not _PORT.match(port)):
            return ""
        return "socket" if port else "address"
    if value.startswith(b"unix:"):
        return "socket" if all(32 < byte < 127 for byte in value) else ""
    if _IPV4.match(value) or _is_ipv6(value):
        return "address"
    if _IPV4_PORT.match(value):
        return "socket"
    return "name" if _NAME.match(value) else ""


def _kinds_of_clients(value: bytes) -> set[str]:
    """Return what the clients of a list are."""
    return {_kind_of_client(one) for one in re.split(rb", ?", value)}


def _is_address(value: bytes) -> bool:
    return _kind_of_client(value) == "address"


def _are_clients(value: bytes) -> bool:
    return "" not in _kinds_of_clients(value)


def _are_addresses(value: bytes) -> bool:
    return _kinds_of_clients(value) == {"address"}


def _are_sockets(value: bytes) -> bool:
    return "socket" in (kinds := _kinds_of_clients(value)) and kinds <= {"address", "socket"}


def _are_decimals(value: bytes) -> bool:
    """Tell whether this is a time of nginx or of Rack, or a list of those of its upstreams: `0.005, 0.012 : -`."""
    items = set(re.split(rb", ?| : ", value))
    return items != {b"-"} and all(item == b"-" or _DECIMAL.match(item) for item in items)


def _is_cache(value: bytes) -> bool:
    return value.lower() in _CACHE


def _is_host(value: bytes) -> bool:
    if value.startswith(b"~"):  # nginx logs a server's name that is a pattern
        return all(byte > 32 and byte != ord('"') for byte in value)
    return bool(value) and not _NO_HOST & set(value)


def _is_site(value: bytes) -> bool:
    """Tell whether this is a host name with a dot, one with a port, or an address."""
    name, colon, port = value.rpartition(b":")
    if value == b"-" or _kind_of_client(value) in _WITH_ADDRESS or _SITE.match(value):
        return True
    return (
        bool(colon)
        and bool(_PORT.match(colon + port))
        and _BEFORE_PORT.match(name) is not None
        and not _NUMBER.match(name)
    )


def _is_bare(value: bytes) -> bool:
    """Tell whether this is one value without quotes, brackets and a key, or a list."""
    if value.startswith(b"[") or b'"' in value or _KEY.match(value) or kind_of(value) not in ("dash", "other"):
        return False
    return all(is_between(value, 0, found.start()) for found in re.finditer(b" ", value))


def is_between(line: bytes, start: int, at: int) -> bool:
    """Tell whether a blank stands between the items of a list that begins at `start`: after a comma, or around a colon; or between a clock and its offset."""
    if line[at : at + 1] != b" " or at == start:
        return False
    before = line[start:at]
    is_zoned = _CLOCK.match(before[-3:]) and _OFFSET.match(line, at + 1)
    return before.endswith((b",", b" :")) or line[at : at + 3] == b" : " or bool(is_zoned)


def _is_user(value: bytes) -> bool:
    """Tell whether this is a name with a "-" behind it, not an address: then the name before was a site, and this is
    the client."""
    first, blank, rest = value.partition(b" ")
    return not blank or _kind_of_client(first) not in _WITH_ADDRESS or not (rest == b"-" or rest.startswith(b"- "))


_KINDS: Mapping[str, Callable[[bytes], bool]] = {
    "addresses": _are_addresses,
    "sockets": _are_sockets,
    "decimals": _are_decimals,
    "cache": _is_cache,
}


def kind_of(value: bytes) -> str:
    """Return the kind of a value behind the agent; each kind there makes another format, and "-" is of every kind."""
    return "dash" if value in _DASH else next((kind for kind, is_one in _KINDS.items() if is_one(value)), "other")


def _kind(name: str) -> Callable[[bytes], bool]:
    return lambda value: kind_of(value) in ("dash", name)


_CHECKS: Mapping[str, Callable[[bytes], bool]] = {
    "client": _are_clients,
    "client_or_dash": lambda value: value == b"-" or _are_clients(value),
    "address": _is_address,
    "ident": lambda value: value == b"-" or bool(re.match(rb"[A-Za-z_][A-Za-z0-9_]*+\Z", value)),
    "host": _is_host,
    "digits": lambda value: value == b"-" or bool(re.match(rb"[0-9]++\Z", value)),
    "dash": lambda value: value in _DASH,
    **{name: _kind(name) for name in (*_KINDS, "other")},
    "bare": _is_bare,
    "site": _is_site,
    "country": lambda value: value == b"-" or bool(_COUNTRY.match(value)),
    "peer": lambda value: bool(_HIDDEN.match(value)) or _kinds_of_clients(value) <= {"address", "socket"},
    "user": _is_user,
    "word": lambda value: bool(value) and not _NO_WORD & set(value),
    "tag": lambda value: bool(_TAG.match(value)),
    "hostname": lambda value: value in _DASH or (_is_site(value) and _kind_of_client(value) not in _WITH_ADDRESS),
}
SHAPES = ("", *_CHECKS)


def has_shape(value: bytes, shape: str) -> bool:
    """Tell whether a value has a shape; the empty shape is that of any value."""
    return not shape or _CHECKS[shape](value)
