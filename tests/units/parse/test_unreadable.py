"""What logs lack that cannot be read."""

from __future__ import annotations

import pytest

from logagg.parse.unreadable import why_unreadable


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'INFO:     127.0.0.1:54321 - "GET / HTTP/1.1" 200 OK', "uvicorn have no time"),
        (b"GET /a 200 4.2 ms - 12", "morgan"),
        (b"2026-11-27 12:00:00 W3SVC1 192.0.2.1 GET", "#Fields line is missing"),
        (b"#Fields: date time c-ip cs-method cs-uri-stem", "names no time, no status, or no request"),
        ("127.0.0.1 - -".encode("utf-16"), "they are UTF-16"),
        (b'Nov 27 08:00:00 web1 api[8]: INFO:     127.0.0.1:54321 - "GET / HTTP/1.1" 200 OK', "uvicorn have no time"),
        (b"something else", ""),
    ],
)
def test_reasons(line: bytes, reason: str) -> None:
    found = why_unreadable([line, line])
    assert reason in found and bool(found) == bool(reason)
