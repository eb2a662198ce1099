"""Records <-> JSON and Arrow: what a job carries and what a pending commit holds, each field and its check in one place.

Input may come from a faulty or hostile process, so each value is checked: an invalid one is a ValueError, a missing one
a KeyError. `failing_as` turns these, and what Arrow raises, into one error.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any

import pyarrow as pa

from logagg.errors import LogaggError
from logagg.quantities import counted
from logagg.records import Fingerprint, Progress, Reject, Rejects, Source

Fields = Mapping[str, Any]

NUMBER = 1 << 63  # numbers are below it, except those of devices and inodes
_UNSIGNED = {"device": 1 << 64, "inode": 1 << 64}
_WRONG = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, OSError, struct.error)


@contextmanager
def failing_as(failure: Callable[[str], LogaggError]) -> Iterator[None]:
    """Raise a failure, made of the reason, if the input in the `with` block does not have the required shape or values."""
    try:
        yield
    except (*_WRONG, pa.ArrowException) as error:
        raise failure(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"lacks {error}"
    return str(error).splitlines()[0] if str(error) else "is wrong"


def write_header(header: Fields) -> bytes:
    """Return a header as JSON; times in ISO 8601."""
    return json.dumps(header, separators=(",", ":"), default=datetime.isoformat).encode()


def read_header(data: bytes) -> dict[str, Any]:
    """Return the header in JSON. Raises ValueError."""
    what = f"a header of {counted(len(data), 'byte')}"
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} that is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise ValueError(f"{what} that is not an object")
    return header


def stream_of(table: pa.Table) -> pa.Buffer:
    """Return a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


# values


def number(value: object, limit: int = NUMBER) -> int:
    if type(value) is not int or not 0 <= value < limit:
        raise ValueError(f"{value!r} where a number should be")
    return value


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} where a text should be")
    value.encode()  # half a surrogate pair is a ValueError
    return value


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} where true or false should be")
    return value


def seconds(value: object) -> float:
    """Return a file's time: file systems keep times before 1970, and after any year that a calendar has."""
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise ValueError(f"{value!r} where a time should be")
    return float(value)  # type: ignore[arg-type]


def instant(value: object) -> int:
    """Return microseconds since 1970, before it, too."""
    if type(value) is not int or not -NUMBER <= value < NUMBER:
        raise ValueError(f"{value!r} where an instant should be")
    return value


def time(value: object) -> datetime:
    found = datetime.fromisoformat(text(value))
    if found.tzinfo is None:
        raise ValueError(f"{value!r} where a time with its zone should be")
    return found


# records


def fingerprint(found: Fields) -> Fingerprint:
    return Fingerprint(number(found["position"]), number(found["length"]), text(found["digest"]))


def progress(found: Fields) -> Progress:
    return Progress(number(found["position"]), number(found["lines"]), fingerprint(found["fingerprint"]))


def source(found: Fields) -> Source:
    return Source(**{name: _value(name, kind, found[name]) for name, kind in _SOURCE.items()})


_SOURCE = {one.name: one.type for one in fields(Source)}  # types as they are written


def _value(name: str, kind: object, value: Any) -> Any:
    """Return the value of a field of `Source`."""
    if kind == "int":
        return number(value, _UNSIGNED.get(name, NUMBER))
    return {"Fingerprint": fingerprint, "bool": flag, "float": seconds, "str": text}[str(kind)](value)


def fields_of_rejects(rejects: Rejects) -> dict[str, Any]:
    """Return rejects as JSON fields; lines, which may hold any bytes, are encoded."""
    samples = [[one.position, one.reason, base64.b64encode(one.line).decode()] for one in rejects.samples]
    return {"counts": dict(rejects.counts), "samples": samples}


def rejects(found: Fields) -> Rejects:
    counts = {text(reason): number(lines) for reason, lines in found["counts"].items()}
    return Rejects(counts, tuple(_reject(*one) for one in found["samples"]))


def _reject(position: object, reason: object, line: object) -> Reject:
    return Reject(number(position), text(reason), base64.b64decode(text(line), validate=True))
