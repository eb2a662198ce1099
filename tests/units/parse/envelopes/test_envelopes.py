"""How envelopes are named, found, and taken for what they are."""

from __future__ import annotations

import json

import pytest

from logagg.clock import ManualClock
from logagg.parse.detect import detect
from logagg.parse.envelopes import headers
from logagg.parse.envelopes.kinds import COLOURS, ENVELOPES, join, split
from logagg.parse.envelopes.unwrap import unwrap_lines
from logagg.parse.formats.compile import compile_format
from logagg.parse.lines.reference import parse_line
from logagg.parse.source_formats import SourceFormats
from logagg.records import Chunk, Fingerprint

NOW = 1_795_900_000.0
LINE = '192.0.2.1 - - [27/Nov/2026:08:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8"'
ERROR = "2026/11/27 08:00:00 [error] 29#29: *7 open() failed"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("combined", ("", "combined")),
        ("cri+combined", ("cri", "combined")),
        ("kubectl+timestamp+json:status=s", ("kubectl+timestamp", "json:status=s")),
        ("cri+cri+cri+cri+cri+combined", ("cri+cri+cri+cri", "cri+combined")),
        ("$host+$request", ("", "$host+$request")),
        ("docker+$host+$request", ("docker", "$host+$request")),
    ],
)
def test_names(name: str, parts: tuple[str, str]) -> None:
    assert split(name) == parts
    assert join(*parts) == name


def test_every_header_is_known_to_the_loop() -> None:
    assert headers.KINDS.keys() == {
        name for name, one in ENVELOPES.items() if not (one.key or one.column or name == COLOURS)
    }


def test_a_name_compiles_to_a_format_in_its_envelopes() -> None:
    fmt = compile_format("kubectl+timestamp+combined or cri+common")
    assert [(one.name, one.envelope) for one in fmt.each] == [
        ("kubectl+timestamp+combined", "kubectl+timestamp"),
        ("cri+common", "cri"),
    ]
    assert compile_format(fmt.name) == fmt


@pytest.mark.parametrize(
    ("line", "inside"),
    [
        ("<190>Nov 27 08:00:00 web1 nginx: LINE", "LINE"),
        ("Nov  7 08:00:00 nginx[812]: LINE", "LINE"),
        ("2026-11-27T08:00:00.1+01:00 2001:db8::1 nginx:  LINE", "LINE"),
        ('1 2026-11-27T08:00:00Z web1 nginx 812 - [a@1 b="c\\" ]"] \ufeffLINE', "LINE"),
        ("<190>1 - - - - - - LINE", "LINE"),
        ("Nov 27 08:00:00 web1 nginx: @cee: {}", "{}"),
        ("Nov 27 08:00:00 web1 LINE", None),
        ("Nov 27 08:00 web1 nginx: LINE", None),
        ('<190>1 2026-11-27T08:00:00Z web1 nginx 812 - [a b="c] LINE', None),
        ('Nov 27 08:00:00 {"a": 1}', None),
    ],
)
def test_syslog(line: str, inside: str | None) -> None:
    assert unwrap_lines([line.encode()], "syslog") == ([inside.encode()] if inside else [])


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("2026-11-27T08:00:00.1Z stdout F {}", "2026-11-27T08:00:00.100000"),
        ("2026-11-27T09:00:00+01:00 {}", "2026-11-27T08:00:00"),
        ("<14>1 2026-11-27T08:00:00Z web1 api 8 - - {}", "2026-11-27T08:00:00"),
        ("<14>1 2026-11-27T08:00:00Z web1 api 8 - {}", "2026-11-27T08:00:00"),
        ("2026-11-27T08:00:00Z web1 api[8]: {}", "2026-11-27T08:00:00"),
        ('{{"log":"{}\\n","stream":"stdout","time":"2026-11-27T08:00:00Z"}}', "2026-11-27T08:00:00"),
        ('{{"__REALTIME_TIMESTAMP":"1795766400000000","MESSAGE":"{}"}}', "2026-11-27T08:00:00"),
        ("api-1  | 2026-11-27T08:00:00Z {}", "2026-11-27T08:00:00"),
        ("Nov 27 08:00:00 web1 api[8]: {}", None),
        ("api-1  | {}", None),
        ("{}", None),
    ],
)
def test_lines_without_a_time_are_read_by_that_of_the_envelope(line: str, time: str | None) -> None:
    request = 'INFO:     192.0.2.1:5 - "GET /a HTTP/1.1" 200 OK'
    text = line.format(request.replace('"', '\\"') if line.startswith("{{") else request)
    fmt = detect([text.encode()] * 3, NOW)
    assert (fmt is not None) == (time is not None)
    if fmt and time:
        record = parse_line(text.encode(), fmt, NOW)
        assert not isinstance(record, str) and str(record["time"]).startswith(time.replace("T", " "))


def test_a_line_that_is_a_request_by_itself_has_no_envelope() -> None:
    for line in (LINE, f"www.example.com {LINE}", f"{LINE} 0.005"):
        fmt = detect([line.encode()] * 5, NOW)
        assert fmt and not fmt.envelope


def test_other_lines_than_requests_may_be_most_of_an_envelope() -> None:
    lines = [f"web-1  | {text}".encode() for text in (*[ERROR] * 9, LINE)]
    assert (fmt := detect(lines, NOW)) and fmt.name == "compose+combined"
    assert detect([line.removeprefix(b"web-1  | ") for line in lines], NOW) is None


def test_a_value_that_looks_like_a_line_does_not_make_an_envelope_of_an_access_log() -> None:
    """A client chooses its agent; the JSON of a server has the fields of a request beside it."""
    record = {
        "time": "2026-11-27T08:00:00+00:00",
        "request": "GET / HTTP/1.1",
        "status": 200,
        "message": LINE,
        "log": f"{LINE}\n",
    }
    assert (fmt := detect([json.dumps(record).encode()] * 3, NOW)) and not fmt.envelope


@pytest.mark.parametrize(
    "given", ["combined", "compose+combined", '$remote_addr - - [$time_local] "$request" $status $_']
)
def test_a_given_format_is_looked_for_in_envelopes(given: str) -> None:
    formats = SourceFormats(given, {}, ManualClock(NOW), lambda _: None)
    data = b"web-1  | " + LINE.encode()
    fmt = formats.format_of(Chunk("s", 0, 0, len(data), data, Fingerprint(0, 0, "")))
    assert fmt and fmt.envelope == "compose"
    again = SourceFormats(given, {"s": fmt.name}, ManualClock(NOW), lambda _: None)
    assert again.name_of("s") == fmt.name, "the lake remembers it, and it is what is given"
