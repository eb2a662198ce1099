"""The live log has a date in its name (cronolog, rotatelogs, Tomcat, IIS), and there is no log without a date.

A program that takes every dated file for a finished one takes half a line for a line. For logagg the youngest file is the
live one if all of them have dates; half a line waits there for its end, whatever `tail.idle` is.
"""

import pytest

from tests.accidents.conftest import Site, settle

NAMES = [
    "access.log.2026-11-{}",
    "access-2026-11-{}.log",
    "access_log.202611{}",
    "localhost_access_log.2026-11-{}.txt",
    "u_ex2611{}.log",
]


@pytest.mark.parametrize("name", NAMES)
def test_half_a_line_waits_in_the_live_log(site: Site, name: str) -> None:
    site.logagg.env["LOGAGG_TAIL_IDLE"] = "500ms"
    log = site.log(name.format(27))
    log.write(100)
    site.start(site.folder / "*")
    site.expect()
    for day in (28, 29):
        whole = site.lines(1)
        log.write_bytes(whole[:40])
        settle(1.5)
        log.write_bytes(whole[40:])
        log.write(10)
        site.expect()
        log.write_bytes((last := site.lines(1))[:-1])  # the last line of a day has no newline,
        log = site.log(name.format(day))
        log.write(10)
        site.expect()  # and counts once the next day has begun
        assert last


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_half_a_line_at_the_switch(site: Site, end: str) -> None:
    """The server finishes a line of the day before after it has begun the next file; the tail is stopped meanwhile."""
    log = site.log("access.log.2026-11-27")
    log.write(20)
    site.start()
    site.expect()
    for day in (28, 29, 30):
        whole = site.lines(1)
        log.write_bytes(whole[:40])
        next_log = site.log(f"access.log.2026-11-{day}")
        next_log.write(10)
        site.expect_all_but({site.written - 11})
        getattr(site, end)()
        log.write_bytes(whole[40:])
        log.write(2)
        if day == 29:
            log.path.rename(site.folder / "archived-2026-11-28.log")
        site.start()
        site.expect()
        log = next_log
