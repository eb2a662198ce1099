"""The fast parser gives what the reference parser gives, on every input: columns, rejects, samples."""

import random

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logagg.parse.formats.compile import Format, compile_format
from logagg.parse.lines import fast, reference
from logagg.parse.schemas import BATCH_SCHEMA, LONGEST, MOST_BYTES
from logagg.records import Batch, Chunk, Fingerprint

NOW = 1_795_500_000.0  # 24 November 2026: later than the times below

FORMATS = [
    compile_format(text)
    for text in (
        "combined",
        "common",
        "vhost-combined",
        "main",
        '$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent rt=$request_time '
        'ut="$upstream_response_time" cs=$upstream_cache_status',
        '$time_iso8601|$http_host|$request_method|$uri|$args|$status|$body_bytes_sent|"$http_user_agent"|$http_x_forwarded_for',
        'log_format m escape=none \'$msec $remote_addr "$request" $status "$http_referer"\';',
        '%{usec}t %a "%r" %s %B %D "%{Referer}i"',
        '{"t":"$time_iso8601","ip":"$remote_addr","r":"$request","s":$status,"b":$body_bytes_sent,"rt":$request_time,"a":"$http_user_agent"}',
        '{"t":"$msec","r":"$request","s":"$status","b":"$bytes_sent","rt":"$request_time","ut":"$upstream_response_time"}',
        '%{sec}t "%r" %s %B %T',
        '%{msec}t "%r" %s %B %{ms}T',
    )
]

# What a program writes whose counter has run over, or who was not meant to be believed.
EXTREMES = [
    "9" * 18,
    "9" * 19,
    "9" * 20,
    "0" * 17 + "7",
    "0" * 30 + "7",
    "0" * 5000,
    "1" + "0" * 400,
    "-1",
    "-0",
    "+5",
    " 5",
    "5 ",
    "0x1F",
    "1_000",
    "12.0",
]
EXTREMES += [
    "12.5",
    "12." + "0" * 18,
    "12." + "0" * 19,
    ".5",
    "5.",
    "1e308",
    "1e999",
    "5e0",
    "1e-5",
    "4E-05",
    "9.5e-005",
    "1e-999",
    "1e--5",
    "nan",
    "NaN",
    "inf",
    "-inf",
]
EXTREMES += [str(2**power + step) for power in (31, 32, 50, 53, 62, 63, 64) for step in (-1, 0, 1)]
EXTREMES += [
    "604800",
    "604800.0",
    "604800.000001",
    "604800001",
    "604800000001",
    "0.1234567890123456789012345678901234567",
    "0." + "1" * 38,
    "0." + "1" * 39,
]
EXTREMES += [
    "100",
    "999",
    "0200",
    "200.0",
    "\u0662\u0660\u0660",
    "9" * 17 + "." + "9" * 18,
    "1763600000." + "9" * 19,
    "253402300800",
    "-1763600000",
    "1.7636e9",
]
TIMES = [
    "20/Nov/2026:01:02:03 +0100",
    "2026-11-20T01:02:03+00:00",
    "1763600000.123",
    "1763600000123456",
    "31/Feb/2026:00:00:00 +0000",
]
VALUES = {
    "client": ["192.0.2.7", "2001:db8::1", "-", "example.com"],
    "host": ["Example.COM", "example.com:8080", "[::1]:80", "a:b:80", "-"],
    "request": [
        "GET /a?b=c HTTP/1.1",
        "POST /\\x22q\\x22 HTTP/2.0",
        "GET /no-version",
        "-",
        "\\x16\\x03",
        "get / HTTP/1.0",
        "GET  HTTP/1.1",
    ],
    "status": ["200", "404", "000", "20x", "-"],
    "bytes": ["0", "1234", "-", "12a", "9" * 19],
    "seconds": ["0.123", "1", "-", "1.", "0.000"],
    "upstream_seconds": ["0.1, 0.2 : 0.3", "-", "0.5", ""],
    "agent": ["Mozilla/5.0 (X; Y)", 'a \\"quoted\\" one', "-", "caf\u00e9", "\\xD0\\xB9", "back\\\\"],
    "": ["-", "anything", ""],
}


def whole_line(fmt: Format, draw: random.Random) -> bytes:
    """Make a line of the format from plausible and odd values."""
    if fmt.keys:
        pairs = ",".join(f'"{key}":{json_value(field, draw)}' for key, field in fmt.keys.items())
        return ("{" + pairs + "}").encode()
    out = fmt.prefix
    for step in fmt.steps:
        choices = (
            TIMES
            if step.field.startswith("time")
            else VALUES.get(step.field, VALUES[draw.choice(["agent", "seconds"])])
        )
        out += draw.choice(EXTREMES if draw.random() < 0.1 else choices).encode() + step.until
    return out


def json_value(field: str, draw: random.Random) -> str:
    value = draw.choice(EXTREMES if draw.random() < 0.1 else TIMES if field.startswith("time") else VALUES[field])
    if value in EXTREMES and draw.random() < 0.5:
        return value
    if field in ("status", "bytes", "seconds") and draw.random() < 0.6:
        return draw.choice(
            ["200", "404", "0", "0.125", "1e3", "-1", "null", "true", "[1]", '{"a":1}', "12345678901234567890"]
        )
    return '"' + value.replace("\\", draw.choice(["\\\\", "\\u00e9"])).replace('"', '\\"') + '"'


def spoil(line: bytes, draw: random.Random) -> bytes:
    """Damage a line as crashes, strangers and broken servers do."""
    at = draw.randrange(len(line) + 1)
    return draw.choice(
        [
            lambda: (
                line[:at]
                + draw.choice([b'"', b"\\", b" ", b"\0", b"\xff", b"\r", b"[", b'" ', b"\n", b"\\x4"])
                + line[at:]
            ),
            lambda: line[:at],
            lambda: line[at:],
            lambda: line[:at] + line[at + 1 :],
            lambda: b"\0\0\0" + line,
            lambda: line + draw.choice([b"\r", b"\r\r", b" ", b'"', b" trailing"]),
            lambda: draw.randbytes(draw.randrange(40)),
            lambda: b"",
        ]
    )()


@st.composite
def logs(draw: st.DrawFn) -> tuple[Format, bytes]:
    fmt = draw(st.sampled_from(FORMATS))
    source = draw(st.randoms(use_true_random=False))
    lines = [whole_line(fmt, source) for _ in range(draw(st.integers(0, 8)))]
    lines = [spoil(line, source) if source.random() < 0.5 else line for line in lines]
    return fmt, b"\n".join(lines) + draw(st.sampled_from([b"\n", b""]))


def plain(batch: Batch) -> pa.Table:
    fields = [
        pa.field(field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
        for field in BATCH_SCHEMA
    ]
    return batch.table.cast(pa.schema(fields))


def both(data: bytes, fmt: Format, **chunk: int) -> tuple[Batch, Batch]:
    whole = Chunk("s", 0, 100, 100 + len(data), data, Fingerprint(100 + len(data), 0, ""), **chunk)
    return fast.parse(whole, fmt, NOW), reference.parse(whole, fmt, NOW)


@given(logs())
@example((FORMATS[0], b'1.2.3.4 - - [20/Nov/2026:01:02:03 +0100] "GET / HTTP/1.1" 200 1 "-" "x\\\\" '))
@example((FORMATS[0], b""))
def test_the_fast_parser_agrees_with_the_reference(log: tuple[Format, bytes]) -> None:
    fmt, data = log
    ours, plainly = both(data, fmt)
    assert plain(ours).to_pylist() == plain(plainly).to_pylist()
    assert ours.rejects == plainly.rejects
    assert ours.table.schema == BATCH_SCHEMA


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name[:20])
def test_the_parsers_agree_on_each_extreme_value_of_each_field(fmt: Format) -> None:
    """Every field, one at a time: as text, in JSON as a number and as a string. What is accepted is within the stated bounds."""
    whole = {
        "request": "GET /a HTTP/1.1",
        "status": "200",
        "bytes": "5",
        "seconds": "0.5",
        "milliseconds": "5",
        "microseconds": "5",
    }
    whole |= {
        "time_local": TIMES[0],
        "time_iso8601": TIMES[1],
        "time_epoch": TIMES[2],
        "time_epoch_ms": "1763600000123",
        "time_epoch_us": TIMES[3],
    }
    lines = [
        fields_of(fmt, whole | {field: value}, quote)
        for field in used(fmt)
        for value in EXTREMES
        for quote in ('"', "")
    ]
    ours, plainly = both("\n".join(lines).encode(), fmt)
    assert plain(ours).to_pylist() == plain(plainly).to_pylist()
    assert ours.rejects == plainly.rejects
    assert ours.table.num_rows and pc.max(ours.table["bytes"]).as_py() <= MOST_BYTES
    for name in ("seconds", "upstream_seconds"):
        assert 0 <= (pc.min(ours.table[name]).as_py() or 0) and (pc.max(ours.table[name]).as_py() or 0) <= LONGEST


def used(fmt: Format) -> list[str]:
    return list(fmt.keys.values()) if fmt.keys else [step.field for step in fmt.steps if step.field]


def fields_of(fmt: Format, values: dict[str, str], quote: str) -> str:
    """Write a line of given values; `quote` says how JSON has those that are numbers."""
    if not fmt.keys:
        return fmt.prefix.decode() + "".join(values.get(step.field, "-") + step.until.decode() for step in fmt.steps)
    quotes = {field: "" if value in EXTREMES and not quote else '"' for field, value in values.items()}
    pairs = [(key, quotes.get(field, '"'), values.get(field, "-")) for key, field in fmt.keys.items()]
    return "{" + ",".join(f'"{key}":{mark}{value}{mark}' for key, mark, value in pairs) + "}"


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_bytes(lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    for fmt in FORMATS:
        ours, plainly = both(data, fmt)
        assert plain(ours).to_pylist() == plain(plainly).to_pylist()
        assert ours.rejects == plainly.rejects


def test_a_line_that_was_too_long_is_a_reject_at_the_start_of_its_chunk() -> None:
    ours, plainly = both(b"rubbish\n", FORMATS[0], skipped=50, too_long=1)
    assert ours.rejects == plainly.rejects
    assert ours.rejects.counts == {"too_long": 1, "format": 1}
    assert [reject.position for reject in ours.rejects.samples] == [100, 150]


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name[:20])
def test_lines_are_events_or_rejects(fmt: Format) -> None:
    draw = random.Random(7)
    lines = [line for line in (spoil(whole_line(fmt, draw), draw) for _ in range(500)) if line.strip(b"\0\r\n")]
    data = b"\n".join(line.replace(b"\n", b"") for line in lines)
    ours, plainly = both(data, fmt)
    expected = sum(1 for line in data.split(b"\n") if line.rstrip(b"\r").lstrip(b"\0"))
    assert ours.table.num_rows + ours.rejects.lines == plainly.table.num_rows + plainly.rejects.lines == expected


SCALARS = [
    "200",
    "-0",
    "01",
    "1.5e+3",
    "1.",
    "-",
    "true",
    "nul",
    "null",
    "NaN",
    "Infinity",
    '""',
    '"a b"',
    '"caf\u00e9"',
    '"tab\t"',
    '"',
    "'x'",
]
ESCAPED = [
    r'"\u00e9"',
    r'"\""',
    r'"\/\b\f\n\r\t\\"',
    r'"\x41"',
    r'"\u12"',
    r'"\ud83d\ude00"',
    r'"\ud83d"',
    r'"\ude00x"',
    r'"\u0000"',
    r'"\u004"',
]
KEYS = ["status", "x", "time", "url", "\u00e9", r"\u0075rl", r"u\rl", "\\"]
NESTED = st.recursive(
    st.sampled_from(SCALARS + ESCAPED),
    lambda values: (
        st.lists(st.tuples(st.sampled_from(KEYS), values), max_size=4).map(
            lambda pairs: "{" + " , ".join(f'"{key}" :{value}' for key, value in pairs) + "}"
        )
        | st.lists(values, max_size=3).map(lambda some: "[" + ",\t".join(some) + "]")
    ),
    max_leaves=8,
)
ENDS = st.sampled_from(["", " ", "}", ",", "x"])


@given(st.lists(st.tuples(NESTED, ENDS).map("".join), max_size=6))
@example(["{}"])
@example(["{" + '"x":[' * depth + "]" * depth + "}" for depth in (1, 62, 63, 64, 65, 2000)])
@example(["{" + '"x":{' * depth + "}" * depth + "}" for depth in (62, 63, 64)])
@example(
    ['{"x":' + '"' + "u" * 300 + '"}', '{"' + r"\u0075" * 300 + '":1}', "\ufeff{}", '{"x":1', "{", '{"x"', '{"x":"']
)
def test_the_parsers_agree_on_json_of_any_shape(lines: list[str]) -> None:
    fmt = compile_format("json:time_iso8601=time,status=status,target=url")
    plenty = '{"time": "2026-11-20T01:02:03+00:00", "status":200, '
    stamped = [line.replace("{", plenty, 1) for line in lines] + [f'{plenty}"url":{line}}}' for line in lines]
    ours, plainly = both("\n".join(lines + stamped).encode(), fmt)
    assert plain(ours) == plain(plainly)
    assert ours.rejects == plainly.rejects
