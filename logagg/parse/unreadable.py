"""Known kinds of logs that cannot be read, since their lines lack a field."""

from __future__ import annotations

import re
from collections.abc import Sequence

from logagg.parse.formats.columns import HEADER, header_name
from logagg.parse.formats.compile import compile_format

_HEADLESS = re.compile(rb"\d{4}-\d\d-\d\d[ \t]+\d\d:\d\d:\d\d(\.\d+)?[ \t]+\S+[ \t]")
_BEFORE = rb"(?:\S.{0,200}? )?"  # in front of the line: an envelope
_KNOWN = (
    (
        re.compile(
            _BEFORE
            + rb"[^ ]+:\d+ \[\d\d/\w{3}/\d{4}:[\d:.]+\] [^ ]+ [^ /]+/[^ ]+ -?\d+/-?\d+/\+?\d+ \+?\d+ [A-Za-z-]{2} [\d/]+ [\d/]+\Z"
        ),
        "lines of HAProxy's option tcplog are connections, without requests; log with option httplog",
    ),
    (
        re.compile(_BEFORE + rb"Connect from [^ ]+ to [^ ]+ \([^)]*\)"),
        "lines of HAProxy without an option are connections, without requests; log with option httplog",
    ),
    (
        re.compile(rb"\d{9,10}\.\d{3} [^ ]+ [a-z]+://[^ ]+ [^ ]+\Z|[^ ]+ \[[^\]]+\] \"[^\"]*\"\Z"),
        "Squid's logs of referrers and of agents have no status; read its access.log",
    ),
    (
        re.compile(rb"(?:tls|tcp) \d\.\d \S+T\S+ net/"),
        "lines of AWS Network Load Balancers are connections, without requests",
    ),
    (
        re.compile(_BEFORE + rb"method=[A-Z]+ path=\S+ .*\bstatus=\d{3}\b"),
        "lines of lograge have no time; log JSON, or let an envelope say it: Docker's json-file, Kubernetes, docker logs -t",
    ),
    (
        re.compile(rb"\[\d+\] [^ ]+: \[\[?\d+\.\d+"),
        "Fluent Bit's stdout is no format to read; let it write with out_file, or format json_lines",
    ),
    (
        re.compile(_BEFORE + rb"INFO: +\S+:\d+ - \"[A-Z]+ \S+ HTTP/"),
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
