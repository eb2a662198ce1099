r"""Log formats: names, nginx `log_format` and Apache `LogFormat` strings, compiled to the same steps.

A text format is literals with values between them: `$remote_addr - $remote_user [$time_local]` is the value of
`client` until " - ", then an unused value until " [", then `time_local` until "]". A JSON format maps keys to fields.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from logagg.config.sections import Config
from logagg.errors import FormatError
from logagg.parse.formats.known import APACHE, APACHE_UNUSED, NAMED, NGINX, TIMES

MOST_VALUES = 256
LONGEST_KEY = 256  # bytes
REQUEST_PARTS = ("method", "target", "path", "query", "protocol")  # fields that a whole request line has in it


@dataclass(frozen=True, slots=True)
class Step:
    """One value of a line, and the literal that ends it."""

    field: str  # "" for an unused value
    until: bytes  # empty only in the last step: the value ends with the line
    quoted: bool = False  # between quotes: a backslash escapes the next byte


@dataclass(frozen=True, slots=True)
class Format:
    """A compiled log format: steps for text, or keys for JSON."""

    name: str  # compiling it gives this format again
    prefix: bytes = b""
    steps: tuple[Step, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    escaped: bool = True  # the server writes \xHH and \" for unprintable bytes and quotes

    @property
    def closed(self) -> bool:
        """Whether a line that parses is certainly complete, even without its newline."""
        return bool(self.keys) or bool(self.steps[-1].until)


@dataclass(frozen=True, slots=True)
class PersonalFields:
    """The fields of a line that identify people, which are read only where a setting asks for them."""

    user_id: str = ""  # the variable that tells visitors apart
    users: bool = False  # the names that clients logged in with

    @classmethod
    def of(cls, config: Config) -> PersonalFields:
        """Return what a configuration asks for."""
        return cls(config.visitor, config.privacy.users)

    def wants(self, field_: str) -> bool:
        """Return whether a field of a line is to be read."""
        return self.users or field_ != "user"


NO_PERSONAL_FIELDS = PersonalFields()


def compile_format(text: str, personal: PersonalFields = NO_PERSONAL_FIELDS) -> Format:
    """Compile a format's name or string.

    Raises FormatError, which names the unknown part of the format and its position.
    """
    if text in NAMED:
        return _compile(text, NAMED[text], personal)
    if text.startswith("json:"):
        return _named_json(text, personal)
    return _compile(text, text, personal)


def _named_json(name: str, personal: PersonalFields) -> Format:
    """Compile the name of a JSON format again: `json:time_iso8601=time,status=status,request=line`."""
    pairs = [pair.split("=", 1) for pair in name.removeprefix("json:").split(",")]
    if any(len(pair) < 2 for pair in pairs):
        raise FormatError(
            f"log format {name!r}: not a list of fields and their keys", "write json, and the keys are detected"
        )
    fmt = json_format({key: field for field, key in pairs if personal.wants(field)})
    _check(fmt)
    return fmt


def json_format(keys: Mapping[str, str]) -> Format:
    """Return the JSON format that takes fields from these keys."""
    name = "json:" + ",".join(f"{field}={key}" for key, field in keys.items())
    return Format(name, keys=dict(keys))


def _compile(name: str, text: str, personal: PersonalFields) -> Format:
    body, escape = _unwrap(text)
    if body.lstrip().startswith("{"):
        fmt = Format(name, keys=_json_template(body, personal))
    else:
        parts = list(_nginx(body, personal.user_id) if "$" in body else _apache(body, personal.user_id))
        wanted = [part if isinstance(part, bytes) or personal.wants(part) else "" for part in parts]
        fmt = _assemble(name, wanted, escaped=escape != "none")
    _check(fmt)
    return fmt


def _unwrap(text: str) -> tuple[str, str]:
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


# A part is a literal (bytes) or the name of a field (str).
Part = bytes | str


def _nginx(text: str, user_id: str) -> Iterator[Part]:
    for literal, braced, plain in re.findall(r"([^$]+)|\$\{(\w+)\}|\$(\w+)", text):
        if literal:
            yield literal.encode()
        else:
            name = braced or plain
            yield "user_id" if name == user_id else NGINX.get(name, "")


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


def _assemble(name: str, parts: list[Part], *, escaped: bool) -> Format:
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
    chosen = _prefer([str(step[0]) for step in steps])
    befores = [prefix, *(bytes(step[1]) for step in steps)]  # type: ignore[arg-type]
    compiled = tuple(
        Step(field_, until, before.endswith(b'"') and until.startswith(b'"'))
        for field_, until, before in zip(chosen, befores[1:], befores, strict=False)
    )
    return Format(name, prefix, compiled, escaped=escaped)


def _prefer(fields: list[str]) -> list[str]:
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


def _json_template(text: str, personal: PersonalFields) -> Mapping[str, str]:
    """Read an nginx `escape=json` template: `{"time":"$time_iso8601","status":$status}`."""
    pairs = re.findall(r'"((?:[^"\\]|\\.)+)"\s*:\s*"?\$\{?(\w+)\}?"?\s*(?=[,}])', text)
    named = [(key, "user_id" if variable == personal.user_id else NGINX.get(variable, "")) for key, variable in pairs]
    chosen = _prefer([name for _, name in named])
    return {key: name for (key, _), name in zip(named, chosen, strict=True) if name and personal.wants(name)}


def _check(fmt: Format) -> None:
    fields = set(fmt.keys.values()) or {step.field for step in fmt.steps}
    wanted = {"a time": TIMES, "a status": {"status"}, "a request": {"request", "target", "path"}}
    for what, names in wanted.items():
        if not fields & names:
            raise FormatError(
                f"log format {fmt.name!r}: there is no {what.split()[1]} in it",
                "see `logagg tail --help` for the formats",
            )
    if len(fmt.keys) + len(fmt.steps) > MOST_VALUES or any(len(os.fsencode(key)) > LONGEST_KEY for key in fmt.keys):
        raise FormatError(
            f"log format {fmt.name[:60]!r}...: it has more than {MOST_VALUES} values, or a key of more than {LONGEST_KEY} bytes"
        )
