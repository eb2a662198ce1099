r"""Strings of nginx's `log_format` and Apache's `LogFormat`, as literals with values between them.

`$remote_addr - $remote_user [$time_local]` is the value of `client` until " - ", then an unused value until " [", then
`time_local` until "]".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from logagg.errors import FormatError
from logagg.parse.formats.format import REQUEST_PARTS, TIMES, Format, Step
from logagg.parse.formats.variables import APACHE, APACHE_UNUSED, nginx_field

# A part is a literal (bytes) or the name of a field (str).
Part = bytes | str


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
    return re.sub(r"\\(['\"\\])", r"\1", body), escape[1] if escape else "default"


def parts_of(text: str, user_id: str) -> Iterator[Part]:
    """Return the literals and fields of a string, in order; `user_id` is the variable that tells visitors apart."""
    return _nginx(text, user_id) if "$" in text else _apache(text, user_id)


def _nginx(text: str, user_id: str) -> Iterator[Part]:
    for literal, braced, plain in re.findall(r"([^$]+)|\$\{(\w+)\}|\$(\w+)", text):
        if literal:
            yield literal.encode()
        else:
            name = braced or plain
            yield "user_id" if name == user_id else nginx_field(name)


def _apache(text: str, user_id: str) -> Iterator[Part]:
    text = text.replace(r"\"", '"').replace(r"\t", "\t")
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
    if letter == "%":
        yield b"%"
    elif letter == "t" and not argument:
        yield from (b"[", "time_local", b"]")
    elif user_id and argument == f"{{{user_id}}}":
        yield "user_id"
    elif known := {key.lower(): value for key, value in APACHE.items() if "{" in key}.get(
        f"{argument}{letter}".lower()
    ):
        yield known
    elif argument and letter == "t":
        raise FormatError(f"log format {text!r}: the time %{argument}t is not understood", "use %t or %{msec}t")
    elif argument or letter in APACHE_UNUSED:
        yield APACHE.get(letter, "") if letter == "a" else ""
    elif letter in APACHE:
        yield APACHE[letter]
    else:
        raise FormatError(f"log format {text!r}: unknown directive %{letter}")


def assemble(name: str, parts: list[Part], *, escaped: bool) -> Format:
    """Turn literals and fields into steps; adjacent literals are joined."""
    prefix, steps = b"", list[list[bytes | str]]()
    for part in parts:
        if isinstance(part, str):
            if steps and not steps[-1][1]:
                raise FormatError(f"log format {name!r}: two values with nothing between them cannot be told apart")
            steps.append([part, b""])
        elif steps:
            steps[-1][1] += part  # type: ignore[operator]
        else:
            prefix += part
    chosen = prefer([str(step[0]) for step in steps])
    befores = [prefix, *(bytes(step[1]) for step in steps)]  # type: ignore[arg-type]
    compiled = tuple(
        Step(field_, until, before.endswith(b'"') and until.startswith(b'"'))
        for field_, until, before in zip(chosen, befores[1:], befores, strict=False)
    )
    return Format(name, prefix, compiled, escaped=escaped)


def prefer(fields: list[str]) -> list[str]:
    """Use each field once, at its first occurrence; one time, in whichever form; the request rather than its components."""
    seen: set[str] = set()
    kept = []
    for name in fields:
        group = "time" if name in TIMES else name
        group = "duration" if name in ("seconds", "milliseconds", "microseconds") else group
        unused = group in seen or (name in REQUEST_PARTS and "request" in fields)
        kept.append("" if unused else name)
        seen.add(group)
    return kept
