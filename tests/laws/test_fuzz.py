"""Mutated logs and configurations: no crash, every line is an event or a reject, and times grow only linearly with the length."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logagg.clock import SystemClock
from logagg.config.load import load
from logagg.config.sections import Config, Tail
from logagg.errors import LogaggError
from logagg.parse.events.addresses import Prefix
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import Format
from logagg.parse.source_formats import SourceFormats
from logagg.records import Chunk, Fingerprint
from logagg.rollup.configured import rollups_of
from tests.laws import sums
from tests.laws.any_log import FORMATS, logs
from tests.laws.counting import SECRET, count, lines_of
from tests.laws.pace import examples

LINE = b'192.0.2.1 - - [20/Nov/2026:01:02:03 +0100] "GET /%s HTTP/1.1" 200 1 "-" "%s"\n'
# Repeated sequences that parsers handle badly.
NASTY = [
    b'\\"',
    b"\\x",
    b"\\\\",
    b'"',
    b" ",
    b"[",
    b"%",
    b"%2",
    b"&a=",
    b"=",
    b"\0",
    b"\xff",
    b"\xc3",
    b"(",
    b"{",
    b'{"a":',
    b"a/",
    b"::",
    b"1.",
    b"://",
    b"@",
    b"\r",
    b"?",
]


@given(st.lists(logs().map(lambda log: log[1]), max_size=3), st.sampled_from([64, 5000, 8 << 20]), st.integers(1, 3))
@examples(12)
def test_whole_runs(spoilt: list[bytes], chunk: int, shards: int) -> None:
    """If the first line of a log shows its format, every following line is a hit or a reject."""
    data = b"\n".join([LINE % (b"", b"x"), *spoilt]) + b"\n"
    with tempfile.TemporaryDirectory() as folder:
        path, lake = Path(folder) / "access.log", Path(folder) / "lake"
        path.write_bytes(data)
        sums.read(lake, [path], Config(log_format="combined", tail=Tail(chunk=chunk)), shards=shards)
        with duckdb.connect(str(lake / "logagg.duckdb"), read_only=True) as connection:
            total = "SELECT (SELECT sum(hits) FROM traffic) + (SELECT coalesce(sum(lines), 0) FROM rejects)"
            assert connection.execute(total).fetchall() == [(lines_of(data),)]


@given(logs())
@settings(max_examples=60, deadline=None)
def test_spoilt_logs(log) -> None:  # type: ignore[no-untyped-def]
    fmt, data = log
    assert count(data, fmt) == lines_of(data, fmt)


@given(st.lists(st.sampled_from(NASTY) | st.binary(max_size=9), max_size=30).map(b"".join), st.sampled_from(FORMATS))
@settings(max_examples=100, deadline=None)
def test_nasty_values(value: bytes, fmt: Format) -> None:
    data = LINE % (value.replace(b"\n", b""), value.replace(b"\n", b"")) + value
    assert count(data, fmt) == lines_of(data, fmt)


@pytest.mark.parametrize("piece", NASTY, ids=repr)
def test_long_repetitions(piece: bytes) -> None:
    """A megabyte of one sequence in a path and in an agent; a superlinear parser would exceed pytest's timeout."""
    config = load(None, {"LOGAGG_PRIVACY_IPV4": "24", "LOGAGG_PRIVACY_ROTATE": "1d", "LOGAGG_FORWARDED": "true"})
    long = piece * (900_000 // len(piece))
    data = LINE % (long, b"x") + LINE % (b"x", long) + LINE % (b"x", b"y") + long
    for name in ("combined", "json", '$remote_addr [$time_local] "$request" $status "$http_x_forwarded_for"'):
        fmt = name if name != "json" else '{"t":"$time_iso8601","r":"$request","s":$status,"a":"$http_user_agent"}'
        assert count(data, fmt, config) == lines_of(data)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"t":['])
def test_deep_json(opening: bytes) -> None:
    data = opening * 100_000 + b"\n" + b'{"t":' + opening * 100_000 + b"}\n"
    assert count(data, '{"t":"$time_iso8601","r":"$request","s":$status}') == 2


@given(st.lists(st.binary(max_size=80), max_size=9), st.sampled_from(["", "json", "combined"]))
@settings(max_examples=60, deadline=None)
def test_detection(lines: list[bytes], given_: str) -> None:
    data = b"\n".join(lines) + b"\n"
    formats = SourceFormats(given_, {}, SystemClock(), lambda source: None)
    formats.format_of(Chunk("s", 0, 0, len(data), data, Fingerprint(len(data), 0, "")))


@given(st.lists(st.text(max_size=45) | st.ip_addresses().map(str), max_size=5))
def test_addresses(texts: list[str]) -> None:
    surrogate_free = [text.encode(errors="replace").decode() for text in texts]
    assert len(Prefix(24, 48).keep(pa.array(surrogate_free, pa.string()))) == len(texts)


@given(st.text(st.sampled_from("$%{}\"'\\ abchist<>:[]|escape=") | st.characters(codec="utf-8"), max_size=60))
@example("json:")
@example("json:time_iso8601=t,status=s")
@example("json:time_iso8601=t,status=s,request=r,x")
@example("$time_iso8601 $request $status" + " $args" * 300)
@example('{"t":"$time_iso8601","r":"$request","s":$status,"' + "k" * 300 + '":"$http_user_agent"}')
@example('{"t\udcff":"$time_iso8601","r":"$request","s":$status}')
@settings(max_examples=200, deadline=None)
def test_formats(text: str) -> None:
    """A log format is compiled, or refused in one line; a compiled format parses any bytes."""
    try:
        fmt = compile_format(text)
    except LogaggError as error:
        assert "\n" not in str(error).replace(text, "")
        return
    assert count(LINE % (b"a", b"b"), fmt) == 1


CONFIG = """
site = "a"
forwarded = true
[tail]
flush = "1s"
memory = "640MB"
[privacy]
ipv4 = 24
rotate = "1d"
[[rule]]
kind = "click"
regex = "^/go"
parameters = {ad = ["ad"]}
[[rollup]]
name = "slow"
where = "seconds > 1"
dimensions = ["path"]
measures = {hits = "count", big = "sum(bytes)"}
"""


@given(
    st.integers(0, len(CONFIG)),
    st.integers(0, 9),
    st.sampled_from(["", '"', "[", "]", "=", "\n", "'", "0", "-1", "; DROP TABLE x", "\\", "((((", "\x00", "é"]),
)
@settings(max_examples=150, deadline=None)
def test_configurations(tmp_path_factory, at: int, drop: int, put: str) -> None:  # type: ignore[no-untyped-def]
    """A mutated configuration loads, or is refused in one line that names the file."""
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_text(CONFIG[:at] + put + CONFIG[at + drop :])
    try:
        config = load(path, {})
        Classifier.of(config, SECRET)
        rollups_of(config)
    except LogaggError as error:
        assert "fuzz.toml" in str(error) and len(str(error).splitlines()) == 1
    else:
        tomllib.loads(path.read_text())
