"""GoAccess's names and strings, as `--log-format` takes them."""

from __future__ import annotations

import pytest

from logagg.errors import FormatError
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.goaccess import is_goaccess
from logagg.parse.lines import reference

NOW = 1_795_900_000.0
TIME = 1_795_780_800.0  # 27 November 2026, 12:00:00 UTC


def read(line: str, log_format: str) -> dict[str, object]:
    found = reference.parse_line(line.encode(), compile_format(log_format), NOW)
    assert isinstance(found, dict), found
    return {name: value for name, value in found.items() if value not in (None, "")}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("COMBINED", "combined"),
        ("VCOMBINED", "vhost-combined"),
        ("COMMON", "common"),
        ("VCOMMON", "vhost-common"),
        ("W3C", "w3c"),
        ("SQUID", "squid"),
        ("CLOUDFRONT", "cloudfront"),
        ("CLOUDSTORAGE", "gcs"),
        ("AWSELB", "elb"),
        ("AWSS3", "s3"),
        ("AWSALB", "alb"),
        ("CADDY", "caddy"),
        ("TRAEFIKCLF", "traefik"),
    ],
)
def test_names(given: str, name: str) -> None:
    assert compile_format(given).name == compile_format(given.lower()).name == name


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ('%h %^[%d:%t %^] "%r" %s %b "%R" "%u"', True),
        ("%x %h %r %s", True),
        ("~h{, } %t", True),
        ('%h %l %u %t "%r" %>s %b', False),
        ('%h %l %u %^ti "%r" %>s %b', False),
        ('$remote_addr %d "$request"', False),
    ],
)
def test_a_string_is_told_from_those_of_apache(text: str, ours: bool) -> None:
    assert is_goaccess(text) == ours


@pytest.mark.parametrize("time", ["27/Nov/2026:13:00:00 +0100", "27/Nov/2026:12:00:00"])
def test_combined(time: str) -> None:
    line = f'192.0.2.1 - ann [{time}] "GET /a?b=c HTTP/1.1" 200 5 "-" "curl/8" and more'
    found = read(line, '%h %^[%d:%t %^] "%r" %s %b "%R" "%u"')
    assert found["time"].timestamp() == TIME  # type: ignore[attr-defined]
    assert (found["client"], found["target"], found["agent"]) == ("192.0.2.1", "/a?b=c", "curl/8")


def test_tabs_and_a_time_in_two_values_next_to_each_other() -> None:
    line = "2026-11-27\t12:00:00\tFRA2\t182\t192.0.2.1\tGET\td1.cloudfront.net\t/a\t200\t-\tMozilla/5.0%20(X)"
    found = read(line, r"%d\t%t\t%^\t%b\t%h\t%m\t%v\t%U\t%s\t%R\t%u")
    assert found["time"].timestamp() == TIME  # type: ignore[attr-defined]
    assert (found["host"], found["agent"], found["bytes"]) == ("d1.cloudfront.net", "Mozilla/5.0 (X)", 182)


def test_a_time_in_two_values_apart() -> None:
    found = read("2026-11-27 192.0.2.1 12:00:00 GET /a 200", "%d %h %t %m %U %s")
    assert found["time"].timestamp() == TIME  # type: ignore[attr-defined]


def test_a_fraction_a_port_blanks_and_units() -> None:
    line = 'x 2026-11-27T12:00:00.123456Z lb 192.0.2.1:4711 10.0.0.1:80    15 1234000 200 "GET /a HTTP/1.1"'
    found = read(line, '%^ %dT%t.%^ %v %h:%^ %^ %~%L %n %s "%r"')
    assert (found["client"], found["host"], found["seconds"]) == ("192.0.2.1", "lb", 0.015)
    assert found["time"].microsecond == 123456  # type: ignore[attr-defined]


def test_numbers_since_the_epoch() -> None:
    assert read("1795780800.123 192.0.2.1 GET /a 200", "%x.%^ %h %m %U %s")["time"].timestamp() == TIME + 0.123  # type: ignore[attr-defined]
    assert read("1795780800123 192.0.2.1 GET /a 200", "%x %h %m %U %s")["time"].timestamp() == TIME + 0.123  # type: ignore[attr-defined]


def test_a_list_of_addresses_is_one_value() -> None:
    found = read("203.0.113.7, 192.0.2.9 - [27/Nov/2026:12:00:00 +0000] GET /a 200", "~h{, } %^ [%x] %m %U %s")
    assert found["client"] == "203.0.113.7, 192.0.2.9"


# Strings as people write them, each with a line of its kind: what is read besides the time, which is 12:00:00 UTC.
USUAL = {"client": "192.0.2.1", "target": "/a", "status": 200}
STRINGS = [
    # An offset that GoAccess skips, before any mark.
    ('%h | %d:%t %^ | "%r" | %s', '192.0.2.1 | 27/Nov/2026:13:00:00 +0100 | "GET /a HTTP/1.1" | 200', {}),
    ('%h %^ %^ %d:%t %^ "%r" %s', '192.0.2.1 - - 27/Nov/2026:13:00:00 +0100 "GET /a HTTP/1.1" 200', {}),
    ("%h %d:%t %^ %m %U %s", "192.0.2.1 27/Nov/2026:13:00:00 +0100 GET /a 200", {"method": "GET"}),
    (r"%d:%t %^\t%h\t%r\t%s", "27/Nov/2026:13:00:00 +0100\t192.0.2.1\tGET /a HTTP/1.1\t200", {}),
    ('%h [%dT%t+%^] "%r" %s', '192.0.2.1 [2026-11-27T13:00:00+01:00] "GET /a HTTP/1.1" 200', {}),
    ('%dT%t-%^ %h "%m %U" %s', '2026-11-27T07:00:00-05:00 192.0.2.1 "GET /a" 200', {}),
    ('%h [%d %t.%^] "%r" %s', '192.0.2.1 [2026-11-27 13:00:00.000000 +0100] "GET /a HTTP/1.1" 200', {}),
    # Dates of any form within brackets.
    ('%h %^[%d %t %^] "%r" %s', '192.0.2.1 - - [Fri, 27 Nov 2026 12:00:00 GMT] "GET /a HTTP/1.1" 200', {}),
    ('[%d %t %^] %h "%r" %s', '[Fri Nov 27 12:00:00 2026] 192.0.2.1 "GET /a HTTP/1.1" 200', {}),
    # Two times.
    ('%d %t %h [%d:%t %^] "%r" %s', '2026/11/27 13:00:00 192.0.2.1 [27/Nov/2026:13:00:00 +0100] "GET /a HTTP/1.1" 200', {}),
    # Literals before a value that is not used.
    ('%h %^[ %^[%x] "%r" %s %T', '192.0.2.1 - [192.0.2.1] - - [27/Nov/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 0.1', {"seconds": 0.1}),
    ('%^[ %^[%x.%^] %^/%L %^ %h:%^"%r" %s', 'haproxy[1]: [1795780800.000] 1/15 ---- 192.0.2.1:4711 10.0.0.1:80 - "GET /a HTTP/1.1" 200', {"seconds": 0.015}),
    ('%x "%r" %s %v:%^ (%h)  %^"%^" %D', '2026-11-27T12:00:00Z "GET /a HTTP/1.1" 200 www.example.com:443 (192.0.2.1) 10.0.0.1 "-" 5000', {"host": "www.example.com", "seconds": 0.005}),
    ("%x  %h  %m %U  %s", "2026-11-27T12:00:00Z 192.0.2.1   GET /a 200", {}),
    # JSON.
    ('{"t":"%dT%t+%^","q":{"ip":"%h:%^","u":"%U","ua":["%u"]},"s":"%s","took":"%T","k":"%^"}', '{"s":200,"t":"2026-11-27T13:00:00+01:00","q":{"ip":"192.0.2.1","u":"/a","ua":["curl/8"]},"took":0.5,"k":1}', {"agent": "curl/8", "seconds": 0.5}),
    ('{"r": "%m %U %H", "ts": "%x.%^", "h": "%h", "s": %s}', '{"ts":1795780800.0001,"h":"192.0.2.1","s":200,"r":"GET /a HTTP/1.1"}', {"protocol": "HTTP/1.1"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "besides"), STRINGS)
def test_strings_as_people_write_them(text: str, line: str, besides: dict[str, object]) -> None:
    found = read(line, text)
    assert int(found["time"].timestamp()) == TIME  # type: ignore[attr-defined]
    wanted = USUAL | besides
    assert {name: found.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("client", ["[", "a/b", "{x}"])
def test_a_client_is_an_address_or_a_name(client: str) -> None:
    fmt = compile_format('%h %^[%d:%t %^] "%r" %s')
    assert (
        reference.parse_line(f'{client} - - [27/Nov/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200'.encode(), fmt, NOW)
        == "format"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("%d %t %h %Z %s %r", "'%Z' at 9 is not a specifier of GoAccess"),
        ("%d %h %s %r", "there is no time in it"),
        ("%d %t %h %r", "there is no status in it"),
    ],
)
def test_what_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        compile_format(text)
