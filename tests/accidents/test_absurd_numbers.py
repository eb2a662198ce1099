"""A counter has overflowed: a response of 18 digits, one of -2 bytes, a request that took thirty thousand years.

A sum of 64 bits overflows, or saturates. In logagg an impossible number is a reject (a size) or null (a duration),
by documented bounds; and no sum saturates.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.accidents.conftest import Site
from tests.conftest import Command

MOST, WEEK = 2**50, 604_800


def combined(size: object, number: int = 1) -> str:
    return f'192.0.2.{number % 90} - - [02/Mar/2026:10:00:{number % 60:02d} +0000] "GET /n HTTP/1.1" 200 {size} "-" "Mozilla/5.0 Firefox/120.0"\n'


def test_such_lines_are_rejects_and_block_no_others(site: Site) -> None:
    log = site.log()
    log.write(10)
    site.start()
    sizes = [
        MOST + 1,
        "9" * 18,
        "9" * 19,
        2**63 - 1,
        2**63,
        2**64,
        "9" * 5000,
        "-2",
        "+5",
        "1e3",
        "12.5",
        "0x1F",
        "nan",
    ]
    site.rejects = {"size": len(sizes)}
    log.write_bytes("".join(map(combined, sizes)).encode())
    log.write(10)
    site.expect()
    assert site.logagg.read("SELECT sum(bytes) FROM traffic") == [(200,)]


def test_the_format_of_a_log_with_only_such_lines_is_detected(logagg: Command, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(combined("9" * 18, number) for number in range(12)))
    logagg.run("tail", "--once", "-q", log)
    assert logagg.read("SELECT reason, sum(lines)::INT FROM rejects GROUP BY ALL") == [("size", 12)]


def test_sums_beyond_64_bits_are_exact_in_every_query(logagg: Command, tmp_path: Path) -> None:
    log, lines = tmp_path / "access.log", 9_000
    for run in (1, 2):
        with log.open("a") as file:
            file.writelines(combined(MOST - 1, number) for number in range(lines))
        logagg.run("tail", "--once", "-q", log)
        logagg.run("compact", "-q")
        total = run * lines * (MOST - 1)
        assert logagg.read("SELECT sum(hits)::INT, sum(bytes) FROM traffic") == [(run * lines, total)]
        assert logagg.sql("SELECT sum(bytes) AS bytes FROM pages") == [{"bytes": total}]
        for report in ("overview", "pages"):
            [row] = json.loads(logagg.run("report", report, "--json").stdout)
            assert row["bytes"] == total
    assert total > 2**63
    logagg.run("check", log)


DURATIONS = [
    "0.5",
    "1e308",
    "9" * 18,
    "-1",
    "null",
    "true",
    f"{WEEK}",
    f"{WEEK}.001",
    '"0.25"',
    "5e-05",
    "0.00012345678901234567",
    '"-"',
    "[1]",  # a list of one is its value
]
TEMPLATE = (
    '{"time":"$time_iso8601","remote_addr":"$remote_addr","request":"$request","status":$status,'
    '"body_bytes_sent":$body_bytes_sent,"request_time":$request_time}'
)
UNITS = {"$request_time": 1, "%{ms}T": 1000, "%D": 1_000_000}


def test_durations_of_json(logagg: Command, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    line = '{"time":"2026-03-02T10:00:00Z","remote_addr":"192.0.2.1","request":"GET /a HTTP/1.1","status":200,"body_bytes_sent":%s,"request_time":%s}\n'
    log.write_text("".join(line % ("12.0", duration) for duration in DURATIONS))
    logagg.run("tail", "--once", "-q", "--log-format", TEMPLATE, log)
    assert logagg.read("SELECT sum(hits)::INT, sum(bytes)::INT FROM traffic") == [(len(DURATIONS), 12 * len(DURATIONS))]
    assert logagg.read("SELECT sum(hits)::INT, round(sum(seconds), 9) FROM latency") == [
        (6, round(WEEK + 1.75 + 5e-05 + 0.000123457, 9))
    ]


@pytest.mark.parametrize("directive", UNITS)
def test_the_bound_in_every_unit(logagg: Command, tmp_path: Path, directive: str) -> None:
    log, week = tmp_path / "access.log", WEEK * UNITS[directive]
    fmt = (
        '$remote_addr [$time_local] "$request" $status $request_time'
        if directive.startswith("$")
        else f'%h %t "%r" %s {directive}'
    )
    line = '192.0.2.1 [02/Mar/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 %s\n'
    log.write_text("".join(line % duration for duration in (week, week + 1, "9" * 18, "-1", "0")))
    logagg.run("tail", "--once", "-q", "--log-format", fmt, log)
    assert logagg.read("SELECT sum(hits)::INT FROM traffic") == [(5,)]
    assert logagg.read("SELECT sum(hits)::INT, sum(seconds) FROM latency") == [(2, WEEK)]
