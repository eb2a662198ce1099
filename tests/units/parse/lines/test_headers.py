"""Headers in a log: the columns of the lines below them, in whichever pieces a log is read."""

from __future__ import annotations

import random

import numpy as np
import pytest

from logagg.clock import SystemClock
from logagg.columnar.slices import Slices
from logagg.parse.formats.columns import HEADER
from logagg.parse.lines import fast, scan
from logagg.parse.lines.headers import begin_with
from logagg.parse.source_formats import SourceFormats
from logagg.records import Chunk, Fingerprint

NOW = 1_795_900_000.0
SHORT = b"#Fields: date time c-ip cs-method cs-uri-stem sc-status"
LONG = SHORT + b" time-taken cs(User-Agent)"
LOG = [
    b"#Software: Microsoft Internet Information Services 10.0",
    SHORT,
    b"2026-11-27 12:00:00 192.0.2.1 GET /0 200",
    b"2026-11-27 12:00:01 192.0.2.1 GET /1 200",
    b"#Date: 2026-11-27 12:00:02\r",
    LONG + b"\r",
    b"2026-11-27 12:00:02 192.0.2.1 GET /2 200 15 curl/8\r",
    b"2026-11-27 12:00:03 192.0.2.1 GET /3 200 15",
    b"",
    b"\0\0" + SHORT,
    b"2026-11-27 12:00:04 192.0.2.1 GET /4 200",
    b"#Fields: date time",
    b"2026-11-27 12:00:05 192.0.2.1 GET /5 200",
]
TARGETS = ["/0", "/1", "/2", "/4"]
REJECTS = 2


def chunk(data: bytes, start: int = 0) -> Chunk:
    return Chunk("s", 0, start, start + len(data), data, Fingerprint.blank(start + len(data)))


def formats(known: dict[str, str] | None = None, given: str = "", first_bytes: bytes = b"") -> SourceFormats:
    return SourceFormats(given, known or {}, SystemClock(), lambda source: None, bytes_before=lambda *_: [first_bytes])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("restarts", [False, True])
def test_any_cut_into_chunks_gives_the_same(seed: int, restarts: bool) -> None:
    """Also if each chunk is read by a tail that knows the name of the format only."""
    draw = random.Random(seed)
    lines = [line + b"\n" for line in LOG]
    ours, targets, rejects, at = formats(), list[str](), 0, 0
    while lines:
        some = lines[: draw.randrange(3, 6)] if not at else lines[: draw.randrange(1, 5)]
        lines, data = lines[len(some) :], b"".join(some)
        fmt = ours.format_of(chunk(data, at), NOW)
        assert fmt
        batch = fast.parse(chunk(data, at), fmt, NOW)
        targets += batch.table["target"].to_pylist()
        rejects += batch.rejects.lines
        at += len(data)
        ours = formats({"s": ours.name_of("s")}) if restarts else ours
    assert (targets, rejects) == (TARGETS, REJECTS)


def test_a_header_alone_decides_the_format() -> None:
    ours = formats()
    assert ours.format_of(chunk(b"\n".join(LOG[:2])), NOW)
    assert ours.name_of("s") == "w3c:date time c-ip cs-method cs-uri-stem sc-status"


@pytest.mark.parametrize("given", ["w3c", "W3C", "iis"])
def test_a_given_format_follows_headers(given: str) -> None:
    ours = formats(given=given)
    assert ours.format_of(chunk(b"\n".join(LOG[:4])), NOW)
    assert ours.name_of("s").startswith("w3c:date time c-ip")
    kept = formats({"s": ours.name_of("s")}, given=given)
    fmt = kept.format_of(chunk(LOG[3], 99), NOW)
    assert fmt and fmt.name == ours.name_of("s")


def test_in_the_middle_of_a_log_its_first_header_counts() -> None:
    assert formats(first_bytes=b"\n".join(LOG[:2])).format_of(chunk(LOG[3], 99), NOW)
    assert formats().format_of(chunk(LOG[3], 99), NOW) is None


def test_in_the_middle_of_a_log_the_nearest_header_counts() -> None:
    blocks = [b"\n".join(LOG[2:7]), b"\n".join(LOG[:4])]
    ours = SourceFormats("", {}, SystemClock(), lambda source: None, bytes_before=lambda *_: blocks)
    fmt = ours.format_of(chunk(LOG[6], 99), NOW)
    assert fmt and fmt.name.endswith("time-taken cs(User-Agent)")


@pytest.mark.parametrize("envelope", ["cri", "syslog", "kubectl+timestamp"])
def test_headers_in_envelopes(envelope: str) -> None:
    before = {
        "cri": b"2026-11-27T12:00:00Z stdout F ",
        "syslog": b"Nov 27 12:00:00 web1 iis: ",
        "kubectl+timestamp": b"[pod/web/iis] 2026-11-27T12:00:00Z ",
    }[envelope]
    lines = [before + line.removeprefix(b"\0\0") for line in LOG if line]
    ours, targets = formats(), list[str]()
    for some in (lines[:4], lines[4:6], lines[6:]):
        data = b"\n".join(some)
        fmt = ours.format_of(chunk(data, len(targets)), NOW)
        assert fmt and fmt.envelope == envelope
        targets += fast.parse(chunk(data), fmt, NOW).table["target"].to_pylist()
        ours = formats({"s": ours.name_of("s")})
    assert targets == TARGETS


def test_the_last_header_of_a_chunk() -> None:
    def last(data: bytes) -> bytes | None:
        place = scan.last_line(np.frombuffer(data, np.uint8), HEADER)
        return data[slice(*place)] if place else None

    assert last(b"\n".join(LOG)) == LOG[11]
    assert last(b"x\n" + SHORT + b"\r\n") == last(SHORT) == last(b"\0" + SHORT) == SHORT
    assert last(b"x" + SHORT) is last(b" " + SHORT) is last(b"#Field") is last(b"") is None


def test_lines_that_begin_with_something() -> None:
    data = b"#a\n#\na#\n##b"
    lines = Slices(np.frombuffer(data, np.uint8), *scan.find_lines(np.frombuffer(data, np.uint8)))
    assert begin_with(lines, b"#").tolist() == [True, True, False, True]
    assert begin_with(lines, b"##").tolist() == [False, False, False, True]
