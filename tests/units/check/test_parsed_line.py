"""One line of a log as it is understood."""

import pytest

from logagg.check.parsed_line import understood
from logagg.parse.detect import detect
from logagg.parse.formats.compile import compile_format

pytestmark = pytest.mark.unit

NOW = 1_795_900_000.0


def test_the_line_with_the_most_values_is_shown() -> None:
    line = b'198.51.100.1 - - [27/Nov/2026:09:00:00 +0100] "GET /p?q=1 HTTP/1.1" 200 512 "%s" "Mozilla/5.0" 45000'
    fmt = compile_format('%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-Agent}i" %I')
    found = understood([b"noise", line % b"-", line % b"https://www.example.org/" + b"\r"], fmt, NOW)
    assert str(found) == (
        "client 198.51.100.1, site -, time 2026-11-27 08:00:00 UTC, method GET, path /p?q=1, status 200, bytes 512, "
        "referrer https://www.example.org/, agent Mozilla/5.0, protocol HTTP/1.1; not used: 45000"
    )


def test_of_json_the_keys_are_shown_that_are_not_used() -> None:
    fmt = compile_format("json:time_iso8601=t,status=s,request=r")
    line = b'{"t": "2026-11-27T08:00:00Z", "s": 200, "r": "GET / HTTP/1.1", "took_ms": 5}'
    found = understood([line], fmt, NOW)
    assert found is not None
    assert found.values["client"] == "" and found.unused == ("took_ms",)


def test_a_format_that_reads_no_line_understands_none() -> None:
    assert understood([b"noise", b""], compile_format("combined"), NOW) is None


def test_a_duration_whose_unit_is_not_clear_is_shown_as_such() -> None:
    lines = [b'{"time":"2026-11-27T12:00:00Z","status":200,"url":"/a","took":%d}' % number for number in (0, 1, 2)]
    fmt = detect(lines, NOW)
    assert fmt
    found = understood(lines, fmt, NOW)
    assert found and found.unused == ("took (in which unit its values do not prove)",)


def test_of_columns_with_a_header_the_names_are_shown_that_are_not_used() -> None:
    lines = [b"time,ip,status,url,edge", *[b"2026-11-27T08:00:0%dZ,198.51.100.7,200,/a,FRA2" % one for one in range(3)]]
    fmt = detect(lines, NOW)
    assert fmt
    found = understood(lines, fmt, NOW)
    assert found and found.unused == ("edge",)
    w3c = [
        b"#Fields: date time c-ip s-port cs-method cs-uri-stem sc-status",
        b"2026-11-27 08:00:00 198.51.100.7 80 GET /a 200",
    ]
    found = understood(w3c, compile_format("w3c"), NOW)
    assert found and found.unused == ("s-port",)


def test_of_columns_without_a_header_the_values_are_shown() -> None:
    line = b'- shop [27/Nov/2026:08:00:00 +0000] 198.51.100.7 - ID1 REST.GET.OBJECT a "GET /a HTTP/1.1" 200 - 5 - 7 - "-" "UA"'
    found = understood([line], compile_format("s3"), NOW)
    assert found and found.unused == ("ID1", "REST.GET.OBJECT", "a")
