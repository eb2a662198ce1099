"""CSV: the names of its formats, its headers."""

from __future__ import annotations

import pytest

from logagg.errors import FormatError
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.csv_header import message_column, names_of, separator_of
from logagg.parse.formats.format import PersonalFields
from logagg.parse.lines import reference

NOW = 1_795_900_000.0


@pytest.mark.parametrize(
    ("header", "separator"),
    [("a,b;c,d", ","), ("a;b;c", ";"), ("a\tb,c\td", "\t"), ("a|b|c", "|"), ("alone", "\t")],
)
def test_the_separator_is_what_a_header_has_most_of(header: str, separator: str) -> None:
    assert separator_of(header) == separator


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (b'"@timestamp","@message"', ["@timestamp", "@message"]),
        (b"time;client ip;cs(User-Agent)\r", ["time", "client ip", "cs(User-Agent)"]),
        (b"2026-11-27,192.0.2.1,GET", []),
        (b"a word alone", []),
        (b"", []),
        (b"\xff,\xfe", []),
    ],
)
def test_a_header_has_only_names(line: bytes, names: list[str]) -> None:
    assert names_of(line) == names


def test_the_column_of_a_whole_line_is_named_by_the_header() -> None:
    assert message_column([b"@timestamp,@message,@log"]) == 2
    assert message_column([b"time,message,_raw"]) == 3
    assert message_column([b"time,client,status"]) == 0


def test_without_a_header_the_name_says_the_fields() -> None:
    fmt = compile_format("csv:time_any,client,-,request,status,bytes")
    found = reference.parse_line(b'2026-11-27T12:00:00Z,192.0.2.1,x,"GET /a, HTTP/1.1",200,5', fmt, NOW)
    assert isinstance(found, dict) and (found["target"], found["bytes"]) == ("/a,", 5)
    assert compile_format("tsv:time_any,request,status").separator == b"\t"


def test_users_are_read_if_they_are_asked_for() -> None:
    name = "csv:time_any,user,request,status"
    assert "user" not in compile_format(name).fields
    assert "user" in compile_format(name, PersonalFields(users=True)).fields


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("csv:time_any,clint,request,status", "there is no field 'clint'"),
        ("csv:time_any,client,request", "no status"),
        ("csv:", "there is no field ''"),
        ("csv:" + "-," * 300 + "status", "more than 256 columns"),
    ],
)
def test_names_that_say_nothing(name: str, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        compile_format(name)
