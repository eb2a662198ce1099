"""Columns of IIS that no header names: each by its place, and by the shape of its values."""

from __future__ import annotations

import pytest

from logagg.parse.w3c_detect import w3c_layouts

pytestmark = pytest.mark.unit

BEGIN = b"2026-11-27 08:00:00 10.0.0.1 GET /a q=1 443 - 198.51.100.7 "
NAMES = "w3c:date time - cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip "


@pytest.mark.parametrize(
    ("rest", "names"),
    [
        (b"UA/1 200 0 0 15", "cs(User-Agent) sc-status sc-substatus sc-win32-status time-taken"),
        (b"UA/1 200 0 0", "cs(User-Agent) sc-status sc-substatus sc-win32-status"),
        (b"HTTP/1.1 UA/1 200 0 0 15", "cs-version cs(User-Agent) sc-status sc-substatus sc-win32-status time-taken"),
        (
            b"UA/1 a=b https://example.com/ www.example.com 200 0 0 9 8 7",
            "cs(User-Agent) - cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
        ),
        # Of two numbers, nothing says which they are.
        (b"UA/1 200 0 0 9 8", "cs(User-Agent) sc-status sc-substatus sc-win32-status - -"),
        (
            b"UA/1 200 0 0 15 203.0.113.9,10.0.0.1 59050",
            "cs(User-Agent) sc-status sc-substatus sc-win32-status time-taken x-forwarded-for -",
        ),
    ],
)
def test_each_place_has_its_column(rest: bytes, names: str) -> None:
    assert list(w3c_layouts([BEGIN + rest])) == [NAMES + names]


def test_other_lines_have_no_layout() -> None:
    assert not list(
        w3c_layouts([b"2026-11-27 08:00:00 GET /a", BEGIN.replace(b"198.51.100.7", b"a|b") + b"UA 200 0 0 1"])
    )
