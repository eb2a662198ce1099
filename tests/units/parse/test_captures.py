"""Headers that HAProxy captures."""

from __future__ import annotations

import pytest

from logagg.parse.captures import capture_templates

LINE = b'192.0.2.1:4711 [27/Nov/2026:12:00:00.726] fe~ be/web1 0/0/1/10/12 200 168 - - ---- 6/6/0/0/0 0/0 %s"GET / HTTP/1.1"'


@pytest.mark.parametrize(
    ("captured", "places"),
    [
        ([b"{www.example.com} ", b"{a.example:80} "], "{<host:any>}"),
        ([b"{www.example.com|Mozilla/5.0 (X)} {} ", b"{|curl/8} {x} "], "{<host:any>|<agent:any>} {<>}"),
        ([b"{203.0.113.7, 192.0.2.9|https://x.example/} "], "{<forwarded:any>|<referrer:any>}"),
        ([b"{a.example|b.example} "], "{<host:any>|<>}"),
        ([b"{www.example.com} ", b"{192.0.2.1} "], None),
        ([b"{||} "], None),
        ([b""], None),
    ],
)
def test_what_places_hold(captured: list[bytes], places: str | None) -> None:
    found = list(capture_templates([LINE % one for one in captured]))
    assert [text.partition(" {")[2] for text in found] == ([f'{places[1:]} "<request>"<>'] if places else [])
