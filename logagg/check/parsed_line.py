"""One line of a log as it is understood, so that a person sees values that are read wrong, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from logagg.parse.envelopes.reference import inside_of
from logagg.parse.formats.format import Format
from logagg.parse.json_detect import unclear_keys
from logagg.parse.lines import reference
from logagg.parse.lines.headers import after, is_comment

LOOKED_AT = 50  # lines among which that with the most values is chosen
SHOWN = 60  # characters of a value
_UNCLEAR = " (in which unit its values do not prove)"

# Columns of a line, by what people call them, in the order in which they are shown.
_NAMES = {
    "client": "client",
    "forwarded": "forwarded",
    "host": "site",
    "time": "time",
    "method": "method",
    "target": "path",
    "status": "status",
    "bytes": "bytes",
    "seconds": "seconds",
    "upstream_seconds": "upstream seconds",
    "cache": "cache",
    "referrer": "referrer",
    "agent": "agent",
    "user": "user",
    "user_id": "visitor",
    "scheme": "scheme",
    "protocol": "protocol",
    "tls": "tls",
    "country": "country",
}


@dataclass(frozen=True, slots=True)
class Understood:
    """The fields of a line by name, and its values that are not used."""

    values: dict[str, str]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        said = ", ".join(f"{name} {value or '-'}" for name, value in self.values.items())
        return f"{said}; not used: {', '.join(self.unused)}" if self.unused else said


def understood(lines: Sequence[bytes], fmt: Format, now: float) -> Understood | None:
    """Return the line with the most values of those that a format reads first; None if it reads none."""
    best: tuple[int, bytes, dict[str, object], Format] | None = None
    for line in lines[:LOOKED_AT]:
        line = line.rstrip(b"\r").lstrip(b"\0")
        inside = inside_of(line, fmt.envelope)
        if inside is not None and is_comment(inside, fmt):
            fmt = after(fmt, inside)
            continue
        record = reference.parse_line(line, fmt, now)
        if not isinstance(record, str) and (best is None or _count(record) > best[0]):
            best = _count(record), line, record, fmt
    if best is None:
        return None
    _, line, record, fmt = best
    unused = (one.decode("utf-8", "replace") for one in reference.unused(line, fmt, now))
    unclear = unclear_keys(lines, fmt)
    return Understood(
        dict(_values(record)), tuple(_short(one) + (_UNCLEAR if one in unclear else "") for one in unused)
    )


def _count(record: dict[str, object]) -> int:
    return sum(value not in (None, "") for value in record.values())


def _values(record: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a line; client and site even if they are missing, since all else is counted by them."""
    for field, name in _NAMES.items():
        value = record.get(field)
        if value not in (None, "") or field in ("client", "host"):
            yield name, _short(_written(value))


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return "" if value is None else str(value)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
