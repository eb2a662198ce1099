"""Known kinds of logs that cannot be read, since their lines lack a field."""

from __future__ import annotations

import re
from collections.abc import Sequence

from logagg.parse.formats.columns import HEADER, header_name
from logagg.parse.formats.compile import compile_format

_HEADLESS = re.compile(rb"\d{4}-\d\d-\d\d[ \t]+\d\d:\d\d:\d\d(\.\d+)?[ \t]+\S+[ \t]")
_KNOWN = (
    (
        re.compile(rb"(?:\S.{0,200} )?INFO: +\S+:\d+ - \"[A-Z]+ \S+ HTTP/"),
        "lines of uvicorn have no time; log JSON, or let an envelope say it: Docker's json-file, Kubernetes, docker logs -t",
    ),
    (
        re.compile(rb"(\x1b\[0m)?[A-Z]{3,7} \S+ (\x1b\[\d+m)?\d{3}(\x1b\[0m)? "),
        "lines of morgan's dev and tiny have no time; log its combined instead",
    ),
)


def why_unreadable(lines: Sequence[bytes]) -> str:
    """Return the field that is missing in lines without a known format; empty if their kind is unknown."""
    if lines[:1] and lines[0].startswith((b"\xff\xfe", b"\xfe\xff")):
        return "they are UTF-16; convert them, as with iconv -f utf-16 -t utf-8"
    if header := next((line for line in lines if line.startswith(HEADER)), b""):
        return _of_header(header)
    if _mostly(_HEADLESS, lines):
        return "they may be of a W3C log whose #Fields line is missing; say its names with --log-format 'w3c:date time ...'"
    return next((reason for shape, reason in _KNOWN if _mostly(shape, lines)), "")


def _of_header(header: bytes) -> str:
    fields = compile_format(header_name(header.rstrip(b"\r"))).fields
    return (
        "" if fields else "its #Fields names no time, no status, or no request (date and time, sc-status, cs-uri-stem)"
    )


def _mostly(shape: re.Pattern[bytes], lines: Sequence[bytes]) -> bool:
    return 2 * sum(bool(shape.match(line)) for line in lines) > len(lines)
