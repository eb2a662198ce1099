"""Values with one mark between them. `fixtures/formats/separated*` has whole logs."""

from __future__ import annotations

import pytest

from logagg.parse.formats.compile import compile_format
from logagg.parse.lines import reference
from logagg.parse.separated import separated_templates

NOW = 1_795_900_000.0
TIME = "2026-11-27T08:00:00+00:00"


def templates(*lines: str) -> list[str]:
    return list(separated_templates([line.encode() for line in lines], NOW))


@pytest.mark.parametrize("mark", ["|", " | ", "\t", ";", ", "])
def test_each_mark(mark: str) -> None:
    line = mark.join(["192.0.2.1", TIME, "200", "5", "GET /a HTTP/1.1", "curl/8.5.0"])
    assert templates(line) == [mark.join(["<client>", "<time_any>", "<status>", "<bytes>", "<request>", "<agent>"])]


@pytest.mark.parametrize(
    "values",
    [
        ["192.0.2.1", "200", "5", "GET /a HTTP/1.1"],  # no time
        [TIME, "200", "5", "GET /a HTTP/1.1"],  # no client
        ["192.0.2.1", TIME, "999", "GET /a HTTP/1.1"],  # no status that is known
        ["192.0.2.1", TIME, "200", "hello"],  # no request
        ["192.0.2.1", TIME, "200"],
    ],
)
def test_what_a_request_needs_must_be_proved(values: list[str]) -> None:
    assert templates("|".join(values)) == []


def test_of_two_addresses_the_one_that_varies_is_the_client() -> None:
    rows = [f"10.0.0.1|192.0.2.{number}|{TIME}|200|/a" for number in (1, 2)]
    assert templates(*rows) == ["<forwarded>|<client>|<time_any>|<status>|<target>"]


def test_the_status_of_an_upstream_is_no_size() -> None:
    rows = [f"192.0.2.1|{TIME}|GET|/a|{status}|{status}|{size}" for status, size in ((200, 512), (404, 200))]
    assert templates(*rows) == ["<client>|<time_any>|<method>|<target>|<status>|<>|<bytes>"]


def test_a_request_takes_longer_than_its_upstream() -> None:
    rows = [f"192.0.2.1|{TIME}|/a|200|0.004|0.005", f"192.0.2.1|{TIME}|/a|200|-|0.001"]
    assert templates(*rows) == ["<client>|<time_any>|<target>|<status>|<upstream_seconds>|<seconds>"]


def test_what_is_always_missing_may_come_later() -> None:
    """A log that begins with requests without a referrer is not read without it for ever."""
    line = f"192.0.2.1|{TIME}|/a|200|-|curl/8.5.0"
    [template] = templates(line)
    assert template == "<client>|<time_any>|<target>|<status>|<:dash>|<agent>"
    fmt = compile_format(template)
    assert reference.parse_line(line.replace("|-|", "|https://example.org/|").encode(), fmt, NOW) == "format"
