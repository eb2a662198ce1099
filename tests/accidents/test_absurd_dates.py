"""A line is dated 3764, or 1970; or its URL or user agent contains such a date.

AWStats #232: `3764-11-07 02:32:07` in a user agent is taken for the time, and all following lines are dropped as older.
logagg reads the time at its place in the format. A line with an impossible time is a reject, `time`; no line's time
decides whether another line counts.
"""

from tests.accidents.conftest import LINE, Site


def test_such_lines_are_rejects_and_block_no_others(site: Site) -> None:
    log = site.log()
    log.write(10)
    for year in (b"3764", b"1970", b"0000"):
        log.write_bytes((LINE % (1, 0, 0, 0, 77, b"x")).replace(b"2026", year))
    site.start()
    site.rejects = {"time": 3}
    log.write_bytes(site.lines(1, b"3764-11-07 02:32:07 [07/Nov/3764:02:32:07 +0000]"))
    log.write(10)
    site.expect()
    assert site.logagg.read("SELECT count(*) FROM traffic WHERE year(ts) <> 2026") == [(0,)]
