"""The headers of a log (`#Fields: ...`): a line may be older than the one that is in force at its log's end."""

from __future__ import annotations

from collections.abc import Iterator

from logagg.intake.content import Content
from logagg.parse.formats.columns import HEADER, W3C_NAME, header_name
from logagg.parse.formats.format import OR

MOST = 32  # headers of a log that differ
_BLOCK = 1 << 20  # bytes read at a time
_LONGEST = 1 << 16  # bytes of a header


def header_formats(content: Content, log_format: str, end: int) -> list[str]:
    """Return the formats that the headers of a log name, if its format is of that kind."""
    if not log_format.startswith(W3C_NAME):
        return []
    first = log_format.partition(OR)[0]
    zone = "@" + first.rpartition("@")[2] if "@" in first else ""
    names = dict.fromkeys(header_name(line) + zone for line in _headers(content, end))
    return list(names)[:MOST]


def _headers(content: Content, end: int) -> Iterator[bytes]:
    """Yield the lines of a content that are headers."""
    at, begun = 0, b"\n"
    while at < end and (data := content.read(at, min(_BLOCK, end - at))):
        at += len(data)
        data = begun + data
        whole = data.rfind(b"\n") + 1
        place = data.find(b"\n" + HEADER)
        while 0 <= place < whole - 1:
            line_end = data.find(b"\n", place + 1)
            if line_end < 0:
                break
            yield data[place + 1 : line_end].rstrip(b"\r")
            place = data.find(b"\n" + HEADER, line_end)
        begun = data[whole - 1 :][:_LONGEST]
