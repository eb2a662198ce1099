"""Which format is detected from some lines."""

import random

import pytest

from logagg.clock import ManualClock
from logagg.parse.detect import Detector, count, has_literals
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import Format
from logagg.parse.formats.presets import PRESETS
from logagg.parse.source_formats import SourceFormats
from logagg.records import Chunk, Fingerprint
from tests.conftest import ROOT

pytestmark = pytest.mark.unit

NOW = 1_795_900_000.0
COMBINED = b'198.51.100.1 - - [27/Nov/2026:09:00:00 +0100] "GET /p HTTP/1.1" 200 512 "-" "Mozilla/5.0"'
TWO_ADDRESSES = COMBINED.replace(b"198", b"192.0.2.80 198")
VHOST = '<host:site> <client:peer> - <user> [<time_local>] "<request>" <status> <bytes> "<referrer>" "<agent>"'


def first(*lines: bytes, likely: str = "") -> str:
    found = Detector().first(lines, NOW, [compile_format(likely)] if likely else [])
    return found.name if found else ""


def test_half_of_the_lines_must_match() -> None:
    assert first(COMBINED, b"noise") == "combined"
    assert first(COMBINED, b"noise", b"noise") == ""


@pytest.mark.parametrize("line", [b"a:1\tb:2\tc:3\td:4", b"\t".join(b"%d:x" % number for number in range(400))])
def test_lines_that_make_no_format_are_refused(line: bytes) -> None:
    assert first(line) == ""


def test_formats_count_together() -> None:
    vhost = b"www.example.com " + COMBINED
    assert first(COMBINED, COMBINED, vhost, b"noise", b"noise") == "combined or " + VHOST


def test_of_formats_that_match_alike_the_likely_one_is_taken() -> None:
    assert first(TWO_ADDRESSES).startswith("<:addresses> <client:peer> - <user>")
    likely = first(TWO_ADDRESSES).replace("<:addresses> <client:peer>", "<client:peer> <:addresses>")
    assert first(TWO_ADDRESSES, likely=likely) == likely
    assert first(COMBINED, likely=likely) == "combined"


def test_a_format_with_more_fields_is_better_than_the_likely_one() -> None:
    likely = first(COMBINED + b" 45000")
    assert first(COMBINED + b" 0.005", likely=likely).endswith("<seconds:decimals>")


@pytest.mark.parametrize(
    "fmt", [compile_format(one.name) for one in PRESETS if not one.outer_time], ids=lambda fmt: fmt.name
)
def test_what_has_no_literals_of_a_format_does_not_match_it(fmt: Format) -> None:
    """On the lines of all fixtures, whole and damaged."""
    draw = random.Random(7)
    for path in sorted((ROOT / "fixtures/formats").glob("*/access.log"))[::3]:
        for line in path.read_bytes().split(b"\n")[:4]:
            for some in (line, b"\0" + line + b"  ", line[draw.randrange(len(line) + 1) :]):
                assert has_literals([some], fmt) or not some or not count([some], fmt, NOW)


class Formats:
    """The formats of sources, by their chunks."""

    def __init__(self, given: str = "", **known: str) -> None:
        self.refused = list[str]()
        self.formats = SourceFormats(
            given, {}, ManualClock(NOW), self.refused.append, before=lambda source: known.get(source, "")
        )

    def of(self, source: str, *lines: bytes) -> str:
        data = b"".join(line + b"\n" for line in lines)
        found = self.formats.format_of(Chunk(source, 0, 0, len(data), data, Fingerprint(len(data), 0, "")))
        return found.name if found else ""


def test_the_format_of_the_generation_before_guides() -> None:
    likely = first(TWO_ADDRESSES).replace("<:addresses> <client:peer>", "<client:peer> <:addresses>")
    logs = Formats(a=likely, b="unknown $nonsense")
    assert logs.of("a", TWO_ADDRESSES) == likely
    assert logs.of("b", TWO_ADDRESSES) == first(TWO_ADDRESSES)


def test_what_parsers_find_is_remembered_once() -> None:
    logs = Formats()
    assert logs.of("a", COMBINED) == "combined"
    logs.formats.learn("a", ("vhost-combined",))
    logs.formats.learn("a", ("vhost-combined", "combined"))
    assert logs.formats.take_learned() == {"a": ["vhost-combined"]}
    assert logs.formats.take_learned() == {}
    assert logs.of("a", COMBINED) == logs.formats.name_of("a") == "combined or vhost-combined"


def test_a_given_format_has_no_others() -> None:
    logs = Formats("common")
    assert not logs.formats.detects
    assert logs.of("a", COMBINED) == ""
    assert logs.refused == ["a"]
    assert not logs.formats.reads("a", COMBINED)


@pytest.mark.parametrize("known", [True, False])
def test_a_last_line_can_be_read(known: bool) -> None:
    logs = Formats()
    common = COMBINED.split(b' "-"')[0]
    if known:
        logs.of("a", common)
    assert logs.formats.reads("a", common)
    assert not logs.formats.reads("a", common[:-12])
    assert not logs.formats.is_closed("a")
    assert logs.of("a", COMBINED) == ("common" if known else "combined")
    assert logs.formats.is_closed("a") is not known


def test_names_of_several_formats_compile_again() -> None:
    fmt = compile_format("combined or vhost-combined or json:time_iso8601=t,status=s,request=r")
    assert [one.name for one in fmt.each] == fmt.name.split(" or ")
    assert compile_format(fmt.name) == fmt
    assert compile_format('$remote_addr or [$time_local] "$request" $status').others == ()
