"""Writers of envelopes: a line as programs that pass logs on write it down, in one line or in parts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

from logagg.parse.envelopes import reference
from logagg.parse.envelopes.kinds import ENVELOPES, MOST_COLUMNS
from logagg.parse.formats.compile import compile_format, enveloped
from tests.laws.any_log import FORMATS

Writer = Callable[[bytes, random.Random], list[bytes]]

_ISO = (
    b"2026-11-20T01:02:03Z",
    b"2026-11-20T01:02:03.123456789+01:00",
    b"2026-11-20T01:02:03.1-0500",
    b"2026-11-20T01:02:03",
    b"2026-11-20T01:02:03,5+01",
)
_TIMES = (
    *_ISO,
    b"Nov 20 01:02:03",
    b"Nov  7 01:02:03.123456",
    b"Nov 20 2026 01:02:03",
    b"f\xc3\xa9vr. 20 01:02:03",
    b"Fri 2026-11-20 01:02:03 UTC",
    b"1795136523.123456",
    b"[ 5183.034782]",
)
_TAGS = (b"nginx:", b"nginx[812]:", b"docker/web[1]:", b"nginx(a)[-]:", b"a:b:", b"[812]:", b":", b"nginx")
_DATA = (b"-", b'[a@1 b="c"]', rb'[a@1 b="\"\]\\" c=""][d]', b"[a", b'[a b="c]', b"[]", b"")


def cri(line: bytes, draw: random.Random) -> list[bytes]:
    stream = draw.choice([b"stdout", b"stdout", b"stderr"])
    *parts, last = _parts(line, draw)
    tags = [draw.choice([b"P", b"P:x"]) for _ in parts] + [draw.choice([b"F", b"F", b"F", b"F:x", b"P"])]
    return [b" ".join((draw.choice(_ISO), stream, tag, part)) for tag, part in zip(tags, [*parts, last], strict=True)]


def docker(line: bytes, draw: random.Random) -> list[bytes]:
    stream = draw.choice(["stdout", "stdout", "stdout", "stderr", "stderr", "stdlog"])
    *parts, last = _parts(line, draw)
    texts = [
        part.decode("utf-8", "replace") for part in [*parts, last + draw.choice([b"\n", b"\n", b"\n", b"\r\n", b""])]
    ]
    more = draw.choice([{}, {"attrs": {"log": "x"}}])
    return [_json({"log": text, "stream": stream, **more, "time": "2026-11-20T01:02:03.1Z"}, draw) for text in texts]


def journal(line: bytes, draw: random.Random) -> list[bytes]:
    text: object = line.decode("utf-8", "replace")
    if draw.random() < 0.3:
        others: list[list[object]] = [[], [], [256], ["a"], [-1], [1.5]]
        text = [*line, *draw.choice(others)]
    return [_json({"__REALTIME_TIMESTAMP": "1795136523123456", "MESSAGE": text, "PRIORITY": "6"}, draw)]


def syslog(line: bytes, draw: random.Random) -> list[bytes]:
    priority = draw.choice([b"", b"<190>", b"<1>", b"<1234>"])
    version = draw.choice([b"", b"1 "])
    if draw.random() < 0.5:
        fields = [
            draw.choice(_ISO + (b"-",)),
            b"web1",
            b"nginx",
            draw.choice([b"812", b"-", b"x"]),
            b"-",
            draw.choice(_DATA),
        ]
        return [priority + version + b" ".join([*fields, draw.choice([b"", b"\xef\xbb\xbf"]) + line])]
    host = draw.choice([b"web1 ", b"2001:db8::1 ", b""])
    return [
        priority
        + draw.choice(_TIMES)
        + b" "
        + host
        + draw.choice(_TAGS)
        + draw.choice([b" ", b"", b"  ", b" @cee: "])
        + line
    ]


def fluentd(line: bytes, draw: random.Random) -> list[bytes]:
    record = _json({"message": line.decode("utf-8", "replace")}, draw)
    return [
        draw.choice(
            [
                draw.choice(_ISO) + b"\tnginx.access\t" + record,
                b"2026-11-20 01:02:03.123456789 +0000 nginx: " + record,
                b"nginx: [1795136523.123, " + record + b"]",
            ]
        )
    ]


def coloured(line: bytes, draw: random.Random) -> list[bytes]:
    marks = [b"", b"\x1b[0m", b"\x1b[36;1m", b"\x1b[m", b"\x1b[3", b"\x1b", b"\x1b[;m"]
    at = draw.randrange(len(line) + 1)
    return [draw.choice(marks) + line[:at] + draw.choice(marks) + line[at:] + draw.choice(marks)]


def before(*headers: bytes) -> Writer:
    """Return a writer of one of some headers."""
    return lambda line, draw: [draw.choice(headers) + line]


def inside(key: str) -> Writer:
    return lambda line, draw: [
        _json({"@timestamp": draw.choice(_ISO).decode(), key: line.decode("utf-8", "replace")}, draw)
    ]


def csv_value(number: int) -> Writer:
    """Return a writer of lines that are the value of that number; some lines lack it."""

    def write(line: bytes, draw: random.Random) -> list[bytes]:
        values = [draw.choice([b"a", b'"b, c"', b"", b'"an ""odd"" one"']) for _ in range(number - 1)]
        quoted = b'"' + line.replace(b'"', b'""') + b'"'
        return [
            b",".join([*values, *draw.choice([[quoted]] * 6 + [[line], [], [b""]]), *draw.choice([[], [b"z"], [b""]])])
        ]

    return write


WRITERS: dict[str, Writer] = {
    "colours": coloured,
    "cri": cri,
    "docker": docker,
    "journal": journal,
    "kubectl": before(b"[pod/web-1/nginx] ", b"[pod/web] ", b"[web] "),
    "compose": before(b"web-1  | ", b"a |", b"web_1  |  ", b"|", b"w| "),
    "fluentd": fluentd,
    "syslog": syslog,
    "timestamp": before(*(time + b" " for time in _TIMES), b"2026-11-20 "),
    "untagged": before(*(time + b" web1 " for time in _TIMES), b"<190>Nov 20 01:02:03 web1 "),
    "stern": before(b"web-1 nginx ", b"default web-1 nginx ", b"Web nginx ", b"a b c "),
    "indented": before(b" ", b"  "),
    "message": inside("message"),
    "log": inside("log"),
    "line": inside("line"),
    "textPayload": inside("textPayload"),
    "short_message": inside("short_message"),
    **{f"csv{number}": csv_value(number) for number in range(1, MOST_COLUMNS + 1)},
}


NESTED = (
    "kubectl+timestamp",
    "colours+compose",
    "compose+timestamp",
    "fluentd+message",
    "fluentd+log",
    "cri+syslog",
    "docker+syslog",
    "kubectl+cri",
)
TIMED = ("cri", "docker", "journal", "syslog", "untagged", "timestamp", "message", "kubectl+timestamp", "compose+log")
HEADED = ("cri", "docker", "syslog", "kubectl+timestamp")
ENVELOPED = [
    *(enveloped(FORMATS[0], envelope) for envelope in (*ENVELOPES, *NESTED)),
    *(compile_format(f"{envelope}+uvicorn") for envelope in TIMED),
    *(compile_format(f"{envelope}+w3c:date time c-ip cs-method cs-uri-stem sc-status") for envelope in HEADED),
]


def in_envelope(lines: list[bytes], envelope: str, draw: random.Random) -> list[bytes]:
    """Return lines in envelopes; parts of several lines may be among one another."""
    for name in reversed(envelope.split("+")) if envelope else ():
        lines = list(_shuffled([WRITERS[name](line, draw) for line in lines], draw))
    return lines


def messages_of(data: bytes, envelope: str, max_line: int = 1 << 20, start: int = 0) -> list[reference.Message]:
    """Return the lines inside envelopes."""
    lines = [reference.RawLine(at, line) for at, line in lines_at(data, start)]
    return reference.messages(lines, envelope, max_line)


def lines_at(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Return the lines of a log and their positions."""
    for whole in data.split(b"\n"):
        line = whole.rstrip(b"\r").lstrip(b"\0")
        if line.strip(b" \t\r"):
            yield at + len(whole.rstrip(b"\r")) - len(line), line
        at += len(whole) + 1


def _shuffled(wrapped: list[list[bytes]], draw: random.Random) -> Iterator[bytes]:
    """Yield the parts of all lines, in the order of each line; two lines at a time."""
    waiting = [parts for parts in wrapped if parts]
    while waiting:
        yield (at := waiting[draw.randrange(min(2, len(waiting)))]).pop(0)
        waiting = [parts for parts in waiting if parts or parts is not at]


def _parts(line: bytes, draw: random.Random) -> list[bytes]:
    text = line.decode("latin-1")
    cuts = sorted(draw.randrange(len(text) + 1) for _ in range(draw.choice([0, 0, 0, 1, 3])))
    return [text[start:end].encode("latin-1") for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _json(record: object, draw: random.Random) -> bytes:
    return json.dumps(
        record, ensure_ascii=draw.random() < 0.5, separators=draw.choice([(",", ":"), (", ", ": ")])
    ).encode()
