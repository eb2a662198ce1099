"""A client sends quotes, backslashes, or the shape of a whole log line.

nginx escapes them by default (`\\x22`), not with escape=none, and other servers had holes (freeunit PR #383: a forged
line). logagg makes at most one event of a line, and no line affects another.
"""

from tests.accidents.conftest import LINE, Site

FORGED = LINE.rstrip() % (9, 1, 2, 3, 999_999, b"curl")


def test_a_line_is_one_line(site: Site) -> None:
    log = site.log()
    site.start()
    escaped = FORGED.replace(b'"', b"\\x22")
    for agent in (
        escaped,
        b"\\x0d\\x0a" + escaped,
        b"\\x5c",
        b"\\\\",
        b"x" * 65_000,
        b"' OR 1=1; DROP TABLE pages; --",
        b"\x1b[2J",
    ):
        log.write_bytes(site.lines(1, agent))
    site.expect()
    assert 999_999 not in site.counted()


def test_raw_quotes_are_rejects_or_values_but_never_further_events(site: Site) -> None:
    log = site.log()
    log.write(20)
    for agent in (b'"', b'" "', b'"x" 200 5 "' + FORGED, b'\\"', b'a"b'):
        log.write_bytes(site.lines(1, agent))
    site.lost = set(range(20, 25))
    site.once()
    lines = site.logagg.lines()
    site.rejects = site.rejected()
    assert lines == 25
    assert set(site.rejects) <= {"format"}
    assert 999_999 not in site.counted()
