"""Headers of CSV, and what they make of the columns. `fixtures/formats/csv*` has whole logs."""

from __future__ import annotations

import pytest

from logagg.parse.csv_detect import csv_formats
from logagg.parse.detect import detect
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, PersonalFields

NOW = 1_795_900_000.0


def formats(*lines: str, personal: PersonalFields = NO_PERSONAL_FIELDS) -> list[str]:
    return list(csv_formats([line.encode() for line in lines], NOW, personal))


def test_names_tell_and_values_prove() -> None:
    header, line = "time,ip,user,request,status", "2026-11-27T08:00:00Z,192.0.2.1,jo,/a,200"
    assert formats(header, line) == [f"csv:time_any,client,-,target,status:{header}"]
    assert formats(header, line, personal=PersonalFields(users=True)) == [
        f"csv:time_any,client,user,target,status:{header}"
    ]
    assert formats(header, line.replace("200", "OK")) == []
    assert formats(header, line.replace("2026-11-27T08:00:00Z", "yesterday")) == []


def test_a_cookie_can_tell_visitors_apart() -> None:
    [name] = formats("time,path,status,sid", "2026-11-27T08:00:00Z,/a,200,x", personal=PersonalFields("sid"))
    assert name == "csv:time_any,target,status,user_id:time,path,status,sid"


@pytest.mark.parametrize("clock", ["8 o'clock", ""])
def test_day_and_clock_must_be_those_of_each_line(clock: str) -> None:
    header = "date,time,path,status"
    assert formats(header, "2026-11-27,08:00:00,/a,200") == [f"csv:date,clock,target,status:{header}"]
    assert formats(header, "2026-11-27,08:00:00,/a,200", f"2026-11-27,{clock},/a,200") == []


def test_of_equal_names_the_first_counts() -> None:
    header = "time,path,status,status"
    assert formats(header, "2026-11-27T08:00:00Z,/a,200,x") == [f"csv:time_any,target,status,-:{header}"]


def test_lines_of_other_lengths_prove_nothing() -> None:
    assert formats("time,path,status", "2026-11-27T08:00:00Z,/a,200,5") == []


def test_a_header_may_come_later() -> None:
    lines = [b"exported by jo", b"time,path,status", b"2026-11-27T08:00:00Z,/a,200", b"2026-11-27T08:00:00Z,/b,200"]
    fmt = detect(lines, NOW)
    assert fmt and fmt.name == "csv:time_any,target,status:time,path,status"


def test_csv_of_other_things_is_refused() -> None:
    assert detect([b"date,name,amount", b"2026-11-27,a,5", b"2026-11-27,b,7"], NOW) is None
    assert detect([b"a,b,c", b'"x,1,2', b"\xff\x00,,"], NOW) is None
