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
