"""A log begins with a byte order mark (Filebeat #1349, Fluent Bit #3256): its first line counts like the others."""

import gzip
from codecs import BOM_UTF8

from tests.accidents.conftest import Site

JSON = b'{"time": "2026-03-02T00:00:%02d+00:00", "remote_addr": "192.0.2.1", "request": "GET /n/%d HTTP/1.1", "status": 200, "body_bytes_sent": 1, "http_user_agent": "Firefox/127.0"}\n'


def test_its_first_line_counts(site: Site) -> None:
    for name, count in (("combined.access.log", 20), ("short.access.log", 1)):
        log = site.log(name)
        log.write_bytes(BOM_UTF8)
        log.write(count)
    (site.folder / "old.access.log.1.gz").write_bytes(gzip.compress(BOM_UTF8 + site.lines(30)))
    first, site.written = site.written, site.written + 20
    content = b"".join(JSON % (number - first, number) for number in range(first, site.written))
    (site.folder / "json.access.log").write_bytes(BOM_UTF8 + content)
    site.once()
    site.check()
    site.start()
    log = site.log("combined.access.log")
    log.write(5)
    site.expect()
    log.rotate()
    log.reopen()
    log.write_bytes(BOM_UTF8)
    log.write(5)
    site.expect()
