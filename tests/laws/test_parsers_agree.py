"""The fast parser agrees with the reference parser on every input: columns, rejects, samples."""

import random

import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import Format
from logagg.parse.schemas import BATCH_SCHEMA, LONGEST, MOST_BYTES
from tests.laws.any_log import EXTREMES, FORMATS, TIMES, both, logs, plain, spoil, whole_line
from tests.laws.counting import lines_of


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
    """Every field, one at a time: as text, in JSON as a number and as a string. Accepted values are within the documented bounds."""
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
        "time_any": TIMES[2],
        "time_zoneless": "20/Nov/2026:01:02:03.004",
        "time_asctime": "Fri Nov 20 01:02:03 2026",
        "time_compact": "20261120010203",
        "date_american": "11/20/2026",
        "date": "2026-11-20",
        "clock": "01:02:03",
        "seconds_before": "0.1",
        "upstream_seconds": "0.2",
        "seconds_after": "0.3",
        "client": "192.0.2.1",
        "client_port": "192.0.2.1:4711",
        "method": "GET",
        "path": "/a",
        "target": "/a",
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
    named = [*(one.field for one in fmt.steps), *(one.field for one in fmt.columns)]
    return list(fmt.keys.values()) or [field for field in named if field]


def fields_of(fmt: Format, values: dict[str, str], quote: str) -> str:
    """Write a line with given values; `quote` decides whether JSON has numbers as strings."""
    if fmt.columns:
        texts = [values.get(column.field, "-") for column in fmt.columns]
        marked = [
            f"[{text}]" if one.bracketed else f'"{text}"' if " " in text else text
            for one, text in zip(fmt.columns, texts, strict=True)
        ]
        return fmt.separator.decode().join(marked)
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
    lines = [line for line in (spoil(whole_line(fmt, draw), draw) for _ in range(500)) if line.strip(b"\0\r\n \t")]
    data = b"\n".join(line.replace(b"\n", b"") for line in lines)
    ours, plainly = both(data, fmt)
    expected = lines_of(data, fmt)
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
    "",
    "0.1, 0.2 : 0.3",
    "1 ,",
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
    r'"\xC3\xA9\xff\v"',
    r'"\xd"',
    r'"\d\"',
    '"[x"',
]
KEYS = ["status", "x", "time", "url", "\u00e9", r"\u0075rl", r"u\rl", "\\", "", "0", "x.url", "url.x", r"\x78", "1.0"]
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
    paths = (
        "target=url",
        "agent=x",
        "agent=x.url",
        "host=x.0",
        "client=url.x",
        "client=x.x.x",
        "tls=url.1.0",
        "cache=",
    )
    fmt = compile_format("json:time_iso8601=time,status=status," + ",".join(paths))
    plenty = '{"time": "2026-11-20T01:02:03+00:00", "status":200, '
    stamped = [line.replace("{", plenty, 1) for line in lines] + [f'{plenty}"url":{line}}}' for line in lines]
    ours, plainly = both("\n".join(lines + stamped).encode(), fmt)
    assert plain(ours) == plain(plainly)
    assert ours.rejects == plainly.rejects
