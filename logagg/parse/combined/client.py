"""The client of a line, and the values around it before the time, such as hosts and further addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from logagg.parse.combined.tokens import FAR_PORT, Token
from logagg.parse.formats.shapes import has_shape, kind_of

_SECOND = "<second>"  # another address
_LAST = "<last>"  # a host where a user may stand
_PROXY = "<:addresses>"
_BESIDE = re.compile(r"<host:site>|<country:country>|<:(?:word|bare|other|addresses)>")

Place = tuple[Token, str]


@dataclass(frozen=True, slots=True)
class Who:
    """The client of one line, and the values around it."""

    template: str
    client: bytes
    second: bytes = b""  # another address behind it


def who(tokens: Sequence[Token]) -> Who | None:
    """Return the meaning of these values; the last one, the user, may have blanks in it. None without a client."""
    site = tokens[:1] if _begins_with_site(tokens) else ()
    at = _client(tokens[len(site) :])
    if at is None:
        return None
    at += len(site)
    places = [
        *((token, "<host:site>") for token in site),
        *_before(tokens[len(site) : at]),
        (tokens[at], "<client>"),
        *_after(tokens[at + 1 :], tokens[:at]),
    ]
    second = next((token.value for token, inner in places if inner == _SECOND), b"")
    return Who("".join(token.place(inner) + token.blanks.decode() for token, inner in places), tokens[at].value, second)


def with_site(template: str, whom: str, others: Set[str]) -> str:
    """Decide whether a name like a host's is that of a user: other lines have "-" there. `whom` is that part of the
    template."""
    is_user = whom.replace(_LAST, "-") in others
    return template.replace(_LAST, "<user>" if is_user else "<host:site>")


def with_client(template: str, lines: Sequence[Who]) -> str:
    """Decide which of two addresses is the client's: the one that varies more; if none does, the proxy comes first."""
    clients = {line.client for line in lines}
    if _SECOND in template:
        seconds = {line.second for line in lines}
        if len(clients) > len(seconds):
            template = template.replace(_SECOND, _proxy(seconds))
        else:
            proxy, clients = _proxy(clients), seconds
            template = template.replace("<client>", proxy, 1).replace(_SECOND, "<client>", 1)
    # A host beside it looks like a client with a name: if the clients are addresses, the template requires one.
    if _BESIDE.search(template.partition('"<request>"')[0]) and all(has_shape(client, "peer") for client in clients):
        template = template.replace("<client>", "<client:peer>", 1)
    return template.replace(_SECOND, _PROXY)


def _proxy(addresses: Set[bytes]) -> str:
    """Return how a template has the addresses of a proxy, perhaps with ports."""
    return "<:sockets>" if all(kind_of(one) == "sockets" for one in addresses) else _PROXY


def _begins_with_site(tokens: Sequence[Token]) -> bool:
    """Tell whether the first address is the site's, as its port is one that servers listen on: Apache without a name has `127.0.1.1:80`."""
    if len(tokens) < 3 or kind_of(tokens[0].value) != "sockets" or FAR_PORT.search(tokens[0].value):
        return False
    return tokens[1].is_address


def _client(tokens: Sequence[Token]) -> int | None:
    """Return which token is the client: the first address; where there is none, the name before the first "-"."""
    address = next((number for number, token in enumerate(tokens) if token.is_address), None)
    dash = next((number for number, token in enumerate(tokens[1:], 1) if token.is_dash), None)
    named = dash is not None and has_shape(tokens[dash - 1].value, "client_or_dash")
    if dash is None or not named or (address is not None and address <= dash):
        return address
    return address if address == 2 and tokens[0].is_host else dash - 1


def _before(tokens: Sequence[Token]) -> Iterator[Place]:
    host = False
    for token in tokens:
        if token.is_host and not host:
            host = True
            yield token, "<host:site>"
        elif token.is_dash:
            yield token, "-"
        else:
            yield token, _other(token)


def _after(tokens: Sequence[Token], before: Sequence[Token]) -> Iterator[Place]:
    """Yield the values after the client: further addresses and hosts, the ident, and the user up to the end."""
    host = any(token.is_host for token in before)
    for number, token in enumerate(tokens):
        rest = tokens[number + 1 :]
        if token.is_dash and not token.marks:
            yield token, "-"
            if not _is_address_and_dash(rest):  # a further address, not a name
                yield from _user(rest)
                return
        elif token.is_address:
            yield token, _SECOND
        elif not rest and not token.marks:
            yield (token, _LAST) if token.is_host and not host else (Token(b"", blanks=token.blanks), "<user>")
        elif token.is_host and not host:
            host = True
            yield token, "<host:site>"
        elif len(rest) == 1 and has_shape(token.value, "ident"):
            yield token, "<ident>"
            yield from _user(rest)
            return
        else:
            yield token, _other(token)


def _is_address_and_dash(tokens: Sequence[Token]) -> bool:
    return len(tokens) > 1 and tokens[0].is_address and tokens[1].is_dash


def _other(token: Token) -> str:
    if token.marks:
        return "<:other>"
    return "<country:country>" if token.is_country else "<:word>" if has_shape(token.value, "word") else "<:bare>"


def _user(tokens: Sequence[Token]) -> Iterator[Place]:
    if tokens:
        yield Token(b"", blanks=tokens[-1].blanks), "<user>"
