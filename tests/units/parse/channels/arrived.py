"""Lines of a site, classified: what is known of their arrivals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from logagg.config.sections import Config
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint
from tests.laws.any_log import NOW

FORMAT = compile_format('$host $remote_addr [$time_local] "$request" $status "$http_referer"')
SITE = "shop.example.com"


class Arrived(NamedTuple):
    channel: str | None
    referrer_source: str | None
    medium: str | None
    campaign: str


def classified(lines: Iterable[bytes], config: Config | None = None) -> pa.Table:
    data = b"".join(line + b"\n" for line in lines)
    chunk = Chunk("s", 0, 0, len(data), data, Fingerprint(len(data), 0, ""))
    return Classifier.of(config or Config(), bytes(16)).classify(fast.parse(chunk, FORMAT, NOW).table)


def line(
    referrer: str = "", query: str = "", *, path: str = "/tea", site: str = SITE, status: int = 200, method: str = "GET"
) -> bytes:
    target = f"{path}?{query}" if query else path
    return (
        f'{site} 192.0.2.1 [02/Mar/2026:10:00:00 +0000] "{method} {target} HTTP/1.1" {status} "{referrer or "-"}"'
    ).encode()


def told(events: pa.Table) -> list[Arrived]:
    return [Arrived(*row.values()) for row in events.select(Arrived._fields).to_pylist()]


def arrived(referrer: str = "", query: str = "", config: Config | None = None, site: str = SITE) -> Arrived:
    """Return what is known of one page view."""
    [found] = told(classified([line(referrer, query, site=site)], config))
    return found
