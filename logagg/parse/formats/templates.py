r"""Strings of nginx's `log_format`, of Apache's `LogFormat`, and our own: literals with values between them.

`$remote_addr - $remote_user [$time_local]` is the value of `client` until " - ", then that of `user` until " [", then
`time_local` until "]". In our own notation it is `<client> - <user> [<time_local>]`, and `<>` is an unused value; a name
after a colon, `<:digits>`, is the shape of a value (`shapes.SHAPES`), where that does not follow from its field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from logagg.errors import FormatError
from logagg.parse.formats.format import REQUEST_PARTS, TIMES, UNITS, Format, Step
from logagg.parse.formats.shapes import SHAPES
from logagg.parse.formats.variables import APACHE, APACHE_UNUSED, CLIENTS, FIELDS, SENT, SHAPE_OF_UNUSED, nginx_field


@dataclass(frozen=True, slots=True)
class Value:
    """A place for a value in a format."""

    field: str  # "" for an unused value
    shape: str = ""
    listed: bool = False


ANY = "any"  # the shape of a value that may be anything, even if its field has a shape
# Fields whose values may have blanks: lists, and times with an offset.
LISTS = frozenset({*CLIENTS, "forwarded", "upstream_seconds", "time_local", "time_iso8601", "time_any"})
_CONTROLS = {"t": "\t", "r": "\r", "n": "\n"}  # the meaning of a letter after a backslash in a server's configuration

# A part is a literal or a place.
Part = bytes | Value


def unwrap(text: str) -> tuple[str, str]:
    """Return the format string in a line of server configuration, and its escaping."""
    text = text.strip()
    if not re.match(r"(log_format|LogFormat)\s", text):
        return text, "default"
    escape = re.search(r"\sescape=(default|json|none)\s", text)
    pieces = re.findall(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", text)
    if not pieces:
        raise FormatError(f"log format {text!r}: no quoted string in it", "give the string between the quotes")
    body = "".join(single or double for single, double in pieces)
    return unescaped(body, "'\"\\trn"), escape[1] if escape else "default"


def unescaped(text: str, characters: str) -> str:
    """Return a text in which a backslash before one of these characters is read as in a server's configuration."""
    return re.sub(rf"\\([{re.escape(characters)}])", lambda found: _CONTROLS.get(found[1], found[1]), text)


def parts_of(text: str, user_id: str) -> Iterator[Part]:
    """Return the literals and places of a string, in order; `user_id` is the variable that tells visitors apart."""
    if "$" in text:
        return _nginx(text, user_id)
    return _own(text) if OWN.search(text) else _apache(text, user_id)


def _nginx(text: str, user_id: str) -> Iterator[Part]:
    text = unescaped(text, "t")
    for literal, braced, plain in re.findall(r"([^$]+)|\$\{(\w+)\}|\$(\w+)", text):
        if literal:
            yield literal.encode()
        else:
            name = braced or plain
            yield Value("user_id") if name == user_id else _named(name, nginx_field(name))


def _named(name: str, field: str) -> Value:
    """Return the place for a server's variable. A value of the server has a shape; a value from a client may be anything."""
    shape = SHAPE_OF_UNUSED.get(name, "") if not field else "" if name in SENT else _shape_of(field)
    return Value(field, shape, listed=name.startswith("upstream_") or field in LISTS)


def _shape_of(field: str) -> str:
    return "client" if field in CLIENTS else field if field in ("host", "ident") else ""


OWN = re.compile(r"<([a-z_0-9]*)(?::([a-z_]+))?>")


def _own(text: str) -> Iterator[Part]:
    text, at = unescaped(text, "t"), 0
    for found in OWN.finditer(text):
        if found.start() > at:
            yield text[at : found.start()].encode()
        yield _own_value(found[1], found[2] or "", text)
        at = found.end()
    if text[at:]:
        yield text[at:].encode()


def _own_value(field: str, shape: str, text: str) -> Value:
    if field and field not in FIELDS:
        near = get_close_matches(field, FIELDS, 1)
        raise FormatError(
            f"log format {text!r}: there is no field <{field}>", f"did you mean <{near[0]}>?" if near else ""
        )
    if shape not in (*SHAPES, ANY):
        raise FormatError(f"log format {text!r}: there is no shape <:{shape}>")
    listed = shape in ("decimals", "addresses", "sockets") or field in LISTS
    shape = "" if shape == ANY else shape or ("user" if field == "user" else _shape_of(field))
    return Value("" if field == "ident" else field, shape, listed)


def _apache(text: str, user_id: str) -> Iterator[Part]:
    text = unescaped(text, '"t')
    pattern = re.compile(r"%(?:!?\d{3}(?:,\d{3})*)?[<>]?(\{[^}]*\})?(\^t[io]|[%a-zA-Z])")
    at = 0
    for found in pattern.finditer(text):
        if "%" in text[at : found.start()]:
            break
        if found.start() > at:
            yield text[at : found.start()].encode()
        yield from _directive(found[1] or "", found[2], text, user_id)
        at = found.end()
    rest = text[at:]
    if "%" in rest:
        where = at + rest.index("%")
        raise FormatError(f"log format {text!r}: {text[where : where + 4]!r} at {where} is not a directive")
    if rest:
        yield rest.encode()


def _directive(argument: str, letter: str, text: str, user_id: str) -> Iterator[Part]:
    name = f"{argument}{letter}"
    if letter == "%":
        yield b"%"
    elif letter == "t" and not argument:
        yield from (b"[", Value("time_local"), b"]")
    elif user_id and argument == f"{{{user_id}}}":
        yield Value("user_id")
    elif known := {key.lower(): key for key in APACHE if "{" in key}.get(name.lower()):
        yield _named(known, APACHE[known])
    elif argument and letter == "t":
        raise FormatError(f"log format {text!r}: the time %{argument}t is not understood", "use %t or %{msec}t")
    elif argument or letter in APACHE_UNUSED:
        yield _named(name, APACHE.get(letter, "") if letter == "a" else "")
    elif letter in APACHE:
        yield _named(letter, APACHE[letter])
    else:
        raise FormatError(f"log format {text!r}: unknown directive %{letter}")


def assemble(name: str, parts: Iterable[Part], *, spaces: bool = False, **details: Any) -> Format:
    """Turn literals and places into steps; adjacent literals are joined."""
    prefix, values, untils = b"", list[Value](), list[bytes]()
    for part in parts:
        if isinstance(part, Value):
            if untils and not untils[-1]:
                raise FormatError(f"log format {name!r}: two values with nothing between them cannot be told apart")
            values.append(part)
            untils.append(b"")
        elif untils:
            untils[-1] += part
        else:
            prefix += part
    chosen = prefer([value.field for value in values])
    steps = [
        replace(_step(*one), spaces=spaces and one[2].endswith(b" "))
        for one in zip(values, chosen, untils, [prefix, *untils], strict=False)
    ]
    return Format(name, prefix, tuple(steps), **details)


def _step(value: Value, field: str, until: bytes, before: bytes) -> Step:
    """Return the step for a value, given the literals after it and before it."""
    shape = value.shape
    if shape == "client" and not (before.endswith(b" ") and until.startswith(b" ")):
        shape = "client_or_dash"  # it cannot be confused with another value here
    quoted = before.endswith(b'"') and until.startswith(b'"')
    return Step(field, until, quoted, shape, value.listed and until.startswith(b" "))


def prefer(fields: list[str]) -> list[str]:
    """Use each field once, at its first occurrence; only one time, in any form; and the request instead of its components."""
    seen: set[str] = set()
    kept = []
    for name in one_client(fields):
        group = "time" if name in TIMES else name
        group = "duration" if name in UNITS or name == "time_taken" else "client" if name == "client_port" else group
        unused = group in seen or (name in REQUEST_PARTS and "request" in fields)
        kept.append("" if unused else name)
        seen.add(group)
    return kept


def one_client(fields: list[str]) -> list[str]:
    """Choose which of `CLIENTS` is the client.

    An address from a header is the client only if the line has no other address. Otherwise it is forwarded, like a list, and
    counts if the other address is that of a trusted proxy.
    """
    client = next((name for name in CLIENTS if name in fields), "client")
    forwarded = "" if "forwarded" in fields or client == "sent_client" else "forwarded"
    meanings = {**dict.fromkeys(CLIENTS, ""), "sent_client": forwarded, client: "client"}
    return [meanings.get(name, name) for name in fields]
