"""Columns that are written down, and those that a header names."""

from __future__ import annotations

import pytest

from logagg.errors import FormatError
from logagg.parse.formats.columns import columns_format, header_name, w3c_format
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, Format, PersonalFields
from logagg.parse.lines import reference

NOW = 1_795_900_000.0


def fields_of(fmt: Format) -> list[str]:
    return [column.field for column in fmt.columns]


def test_a_spec() -> None:
    fmt = columns_format("x", "client [time_local] - | user agent *", NO_PERSONAL_FIELDS, separator=b" ")
    assert fields_of(fmt) == ["client", "time_local", "", "", "agent"]
    assert (fmt.needed, fmt.open_end) == (3, True)
    assert [column.bracketed for column in fmt.columns] == [False, True, False, False, False]
    with pytest.raises(FormatError, match="there is no field 'clint'"):
        columns_format("x", "clint", NO_PERSONAL_FIELDS)


def test_names_of_columns_are_known_in_any_capitals_and_the_preferred_one_counts() -> None:
    fmt = w3c_format(
        "x", "Date TIME cs(Host) C-IP x-host-header cs-method CS-URI-STEM sc-status odd", NO_PERSONAL_FIELDS
    )
    assert fields_of(fmt) == ["date", "clock", "", "client", "host", "method", "path", "status", ""]


@pytest.mark.parametrize(
    "names", ["", "date time c-ip cs-method cs-uri-stem", "time c-ip cs-uri-stem sc-status", "date time sc-status"]
)
def test_below_a_header_that_lacks_something_no_line_matches(names: str) -> None:
    fmt = w3c_format("x", names, NO_PERSONAL_FIELDS)
    assert fmt.columns == ()
    assert reference.parse_line(b"2026-11-27 12:00:00 192.0.2.1", fmt, NOW) == "format"


def test_users_and_visitors_are_read_if_they_are_asked_for() -> None:
    names = "date time c-ip cs-username cs-uri-stem sc-status cs(Cookie)"
    assert "user" not in fields_of(w3c_format("x", names, NO_PERSONAL_FIELDS))
    assert {"user", "user_id"} <= set(fields_of(w3c_format("x", names, PersonalFields("cs(Cookie)", users=True))))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"#Fields: date time c-ip", "w3c:date time c-ip"),
        (b"#Fields:\tdate   time", "w3c:date time"),
        (b"#Fields: date x@UTC \xff + cs(User-Agent)", "w3c:date - - - cs(User-Agent)"),
        (b"#Fields:", "w3c:"),
        (b"#Fields:" + b" a" * 257, "w3c:"),
    ],
)
def test_the_name_of_a_header(header: bytes, name: str) -> None:
    assert header_name(header) == name
    assert compile_format(name).name == name


@pytest.mark.parametrize(
    ("line", "agent"),
    [
        ("2026-11-27 12:00:00 192.0.2.1 GET /a 200 Mozilla/5.0+(X;+Y)", "Mozilla/5.0 (X; Y)"),
        ("2026-11-27\t12:00:00\t192.0.2.1\tGET\t/a\t200\tMozilla/5.0 (X; +http://y)", "Mozilla/5.0 (X; +http://y)"),
        ("2026-11-27  12:00:00 192.0.2.1 GET /a 200 Mozilla/5.0%20(X)  ", "Mozilla/5.0 (X)"),
        ("2026-11-27 12:00:00 192.0.2.1 GET /a 200 Mozilla/5.0%2520(X)", "Mozilla/5.0 (X)"),
        ('2026-11-27 12:00:00 192.0.2.1 GET /a 200 "an ""odd"" one"', 'an "odd" one'),
        ("2026-11-27 12:00:00 192.0.2.1 GET /a 200 bot/2;++http://x", "bot/2; +http://x"),
        ('2026-11-27 12:00:00 192.0.2.1 GET /a 200 "unclosed', '"unclosed'),
    ],
)
def test_values(line: str, agent: str) -> None:
    fmt = compile_format("w3c:date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent)")
    found = reference.parse_line(line.encode(), fmt, NOW)
    assert isinstance(found, dict) and found["agent"] == agent
