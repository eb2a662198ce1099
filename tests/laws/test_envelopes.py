"""Envelopes: the fast loops give what the reference gives, and it does not matter where a log is cut, or when it is read."""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logagg.clock import ManualClock
from logagg.columnar.slices import Slices
from logagg.intake.tail import Tailer
from logagg.parse.envelopes import reference
from logagg.parse.envelopes.cutting import first_line, whole_lines
from logagg.parse.envelopes.kinds import ENVELOPES
from logagg.parse.envelopes.unwrap import unwrap
from logagg.parse.formats.compile import compile_format, enveloped
from logagg.parse.formats.format import Format
from logagg.parse.lines import scan
from logagg.records import Chunk, KnownSource, Progress
from tests.laws.any_log import FORMATS, both, plain, spoil, whole_line
from tests.laws.counting import count
from tests.laws.enveloped import NESTED, WRITERS, in_envelope, lines_at, messages_of

SHORT, LONG = 200, 1 << 20  # bytes of a line, at most
IN_PARTS = [one.name for one in ENVELOPES.values() if one.in_parts]
PIECES = [
    b"P",
    b"F",
    b"stdout ",
    b"stderr ",
    b"|",
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b"\\",
    b": ",
    b" ",
    b"\t",
    b"<",
    b">",
    b"1 ",
    b"-",
    b"Z",
    b"\r",
    b"\xef",
]


def test_there_is_a_writer_of_each_envelope() -> None:
    assert WRITERS.keys() == ENVELOPES.keys()


def taken_off(data: bytes, envelope: str, max_line: int) -> list[tuple[int, bytes | None]]:
    array = np.frombuffer(data, np.uint8)
    messages = unwrap(Slices(array, *scan.find_lines(array)), envelope, max_line)
    lines = messages.lines.gather().to_pylist()
    return [
        (int(start), line if has else None)
        for start, line, has in zip(messages.raw.start, lines, messages.enveloped, strict=True)
    ]


def taken_off_plainly(data: bytes, envelope: str, max_line: int, start: int = 0) -> list[tuple[int, bytes | None]]:
    return [(one.raw.start, one.inside(envelope)) for one in messages_of(data, envelope, max_line, start)]


def accepted(data: bytes, envelope: str, start: int = 0) -> list[tuple[int, bytes | None]]:
    """Return the lines that are taken off, and None for those over the limit."""
    lines = taken_off_plainly(data, envelope, SHORT, start)
    whole = {at: line for at, line in lines_at(data, start) if len(line) <= SHORT}
    return [(at, line if at in whole else None) for at, line in lines]


@st.composite
def enveloped_logs(draw: st.DrawFn) -> tuple[str, bytes]:
    envelope = draw(st.sampled_from([*ENVELOPES, *NESTED]))
    source = draw(st.randoms(use_true_random=False))
    lines = [whole_line(FORMATS[0], source) for _ in range(draw(st.integers(0, 8)))]
    lines = in_envelope(lines, envelope, source)
    lines = [spoil(line, source) if source.random() < 0.2 else line for line in lines]
    lines = [swap(line, source) if source.random() < 0.2 else line for line in lines]
    return envelope, b"\n".join(lines) + draw(st.sampled_from([b"\n", b""]))


def swap(line: bytes, draw: random.Random) -> bytes:
    """Change the beginning of a line."""
    at = draw.randrange(min(60, len(line)) + 1)
    return line[:at] + draw.choice(PIECES) + line[at + draw.choice([0, 1, 5]) :]


@given(enveloped_logs(), st.sampled_from([SHORT, 1 << 20]))
@settings(max_examples=100, deadline=None)
def test_fast_and_plain_take_the_same_off(log: tuple[str, bytes], max_line: int) -> None:
    envelope, data = log
    assert taken_off(data, envelope, max_line) == taken_off_plainly(data, envelope, max_line)


@given(st.lists(st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=12).map(b"".join), max_size=6))
@settings(max_examples=100, deadline=None)
def test_they_take_the_same_off_any_bytes(lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    for envelope in (*ENVELOPES, *NESTED):
        assert taken_off(data, envelope, 1 << 20) == taken_off_plainly(data, envelope, 1 << 20)


@given(enveloped_logs())
@settings(deadline=None)
@example(("docker", b""))
def test_the_parsers_agree_and_lose_no_line(log: tuple[str, bytes]) -> None:
    envelope, data = log
    fmt = enveloped(FORMATS[0], envelope)
    ours, plainly = both(data, fmt)
    assert plain(ours).to_pylist() == plain(plainly).to_pylist()
    assert ours.rejects == plainly.rejects
    assert count(data, fmt) == len(messages_of(data, envelope))


@st.composite
def logs_in_parts(draw: st.DrawFn) -> tuple[str, bytes]:
    envelope = draw(st.sampled_from(IN_PARTS))
    source = draw(st.randoms(use_true_random=False))
    lines = [
        b"%d %s" % (number, b"x" * source.choice([1, 5, SHORT // 2, 2 * SHORT]))
        for number in range(draw(st.integers(1, 12)))
    ]
    lines = [line if source.random() < 0.9 else b"" for line in in_envelope(lines, envelope, source)]
    ends = [source.choice([b"\n", b"\n", b"\n", b"\r\n", b"\n\n"]) for _ in lines]
    return envelope, b"".join(line + end for line, end in zip(lines, ends, strict=True))


@given(logs_in_parts(), st.data())
@settings(max_examples=80, deadline=None)
def test_it_does_not_matter_where_a_log_is_cut(log: tuple[str, bytes], data: st.DataObject) -> None:
    """It is written in pieces, and read between them in chunks of any size, by runs that end at any time, the first without the format."""
    envelope, whole = log
    pieces = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    chunk = data.draw(st.sampled_from([8, 64, 300, 1000, 8 << 20]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "access.log"
        path.write_bytes(b"")
        bench = _Bench(path, envelope, chunk)
        for start, end in zip([0, *pieces], [*pieces, len(whole)], strict=True):
            with path.open("ab") as file:
                file.write(whole[start:end])
            bench.clock.sleep(1)
            bench.read()
            if data.draw(st.booleans()):
                bench.crash()
        bench.end()
    assert bench.found == accepted(whole, envelope)


class _Bench:
    def __init__(self, path: Path, envelope: str, chunk: int) -> None:
        self.path, self.envelope, self.chunk, self.clock = path, envelope, chunk, ManualClock(time.time())
        self.found: list[tuple[int, bytes | None]] = []
        self.known: list[KnownSource] = []
        self._start()

    def _start(self) -> None:
        self.tailer = Tailer(
            [str(self.path)],
            self.known,
            chunk_bytes=self.chunk,
            max_line=SHORT,
            whole_lines=whole_lines,
            clock=self.clock,
            notice=lambda _: None,
        )

    def read(self) -> None:
        for chunk in self.tailer.poll():
            self._take(chunk)

    def _take(self, chunk: Chunk) -> None:
        if chunk.data and not self.tailer.set_format(chunk, f"{self.envelope}+combined"):
            return
        start = chunk.start + chunk.skipped
        self.found += [(chunk.start, None)] * chunk.too_long
        self.found += accepted(bytes(chunk.data), self.envelope, start)
        source = self.tailer.source(chunk.source)
        self.known = [KnownSource(source, {0: Progress(chunk.end, 0, chunk.fingerprint)})]

    def crash(self) -> None:
        self.tailer.close()
        if self.known:
            self.known = [replace(one, source=self.tailer.source(one.source.id)) for one in self.known]
        self._start()

    def end(self) -> None:
        self.read()
        for chunk in self.tailer.drain_ends(lambda *_: True):
            self._take(chunk)
        self.tailer.close()


@given(logs_in_parts(), st.integers(0, 2 * SHORT))
@settings(max_examples=50, deadline=None)
def test_a_line_is_read_again_with_all_its_parts(log: tuple[str, bytes], ahead: int) -> None:
    """At each position at which a line begins, from as many bytes as it takes, or None from fewer."""
    envelope, whole = log
    for at, line in taken_off_plainly(whole, envelope, LONG):
        raw = first_line(f"{envelope}+combined", whole[at:], LONG, ended=True)
        assert raw is not None
        assert taken_off_plainly(raw, envelope, LONG) == [(0, line)]
        assert first_line(f"{envelope}+combined", whole[at : at + ahead], LONG, ended=False) in (raw, raw + b"\r", None)


@pytest.mark.parametrize("envelope", IN_PARTS)
def test_parts_that_never_end_hold_back_no_more_than_a_line(envelope: str) -> None:
    """One part among whole lines, or nothing but parts, in turns of two streams."""
    draw = random.Random(7)
    lines = [line for _ in range(999) for line in WRITERS[envelope](b"x", draw)]
    parts, others = list[bytes](), list[bytes]()
    for line in lines:
        if part := reference.part_of(line, ENVELOPES[envelope]):
            (parts if part.open else others).append(line)
    for held in ([parts[0], *others], parts):
        data = b"\n".join([*held, b""])
        taken = whole_lines(f"{envelope}+combined", memoryview(data), len(data), SHORT)
        assert len(data) - taken <= SHORT + 1


ALTERNATIVES = [
    compile_format(name)
    for name in (
        "cri+combined or cri+common",
        "combined or syslog+combined or compose+common",
        "docker+common or combined or cri+combined or docker+syslog+common",
        "syslog+combined or docker+combined",
    )
]


@given(st.sampled_from(ALTERNATIVES), st.randoms(use_true_random=False), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_lines_of_one_log_may_be_in_different_envelopes(fmt: Format, draw: random.Random, count_: int) -> None:
    """Parts are joined in the envelope of the first format; what is known of the others is used as it stands."""
    each = [draw.choice(fmt.each) for _ in range(count_)]
    lines = [
        line for one in each for line in in_envelope([whole_line(replace(one, envelope=""), draw)], one.envelope, draw)
    ]
    draw.shuffle(lines)
    data = b"\n".join(lines)
    ours, plainly = both(data, fmt)
    assert plain(ours).to_pylist() == plain(plainly).to_pylist()
    assert ours.rejects == plainly.rejects
    assert count(data, fmt) == len(messages_of(data, fmt.envelope))
