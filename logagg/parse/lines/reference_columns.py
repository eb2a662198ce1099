"""The columns of the reference parser, one line at a time."""

from __future__ import annotations

from logagg.parse.formats.format import Column, Format
from logagg.parse.formats.shapes import has_shape


def split_columns(line: bytes, fmt: Format) -> dict[str, bytes] | None:
    """Return the fields of a line, None if it does not have the shape of the format."""
    values = values_of(line, fmt)
    if values is None:
        return None
    raw = {one.field: b"" for one in fmt.columns if one.field}
    return raw | {one.field: value for one, value in zip(fmt.columns, values, strict=False) if one.field}


def values_of(line: bytes, fmt: Format) -> list[bytes] | None:
    """Return the values of the columns that a line has, None if it does not have the shape of the format."""
    separator = fmt.separator
    if separator == b" ":
        separator = b"\t" if b"\t" in line else separator
        line = line.strip(b" ") if separator == b" " else line
    at, values = 0, list[bytes]()
    for column in fmt.columns:
        value, at = _value(line, at, separator, column, fmt)
        if at < 0 or not has_shape(value, column.shape):
            return None
        values.append(value)
        if at == len(line):
            return values if len(values) >= fmt.needed else None
        at += 1
        while separator == b" " and line[at : at + 1] == b" ":
            at += 1
    return values if fmt.columns and (fmt.open_end or at == len(line)) else None


def _value(line: bytes, start: int, separator: bytes, column: Column, fmt: Format) -> tuple[bytes, int]:
    """Return the value that begins at `start`, and where it ends: at a separator or at the end of the line; -1 if a value of CSV goes on in the next line."""
    dress = {b'"': b'"', b"[": b"]" if column.bracketed else b""}.get(line[start : start + 1], b"")
    end = _closing(line, start + 1, dress, separator, fmt) if dress else -1
    if end >= 0:
        return line[start + 1 : end], end + 1
    if dress == b'"' and fmt.doubled and separator in (b",", b";"):
        return b"", -1
    end = line.find(separator, start)
    return (line[start:end], end) if end >= 0 else (line[start:], len(line))


def _closing(line: bytes, start: int, dress: bytes, separator: bytes, fmt: Format) -> int:
    """Return the place of the quote or bracket that a separator or the end of the line follows, or -1."""
    doubled = fmt.doubled and dress == b'"'
    at = start
    while (at := line.find(dress, at)) >= 0:
        if doubled and line[at + 1 : at + 2] == dress:
            at += 2
            continue
        before = line[start:at]
        escaped = (len(before) - len(before.rstrip(b"\\"))) % 2 == 1
        if line[at + 1 : at + 2] in (b"", separator) and (doubled or not escaped):
            return at
        at += 1
    return -1
