"""Two logs begin with the same bytes: the same header, the same first requests.

Vector discussion #17520 ("more than one file has the same fingerprint": one is skipped), Filebeat #51417 (the new file
is taken for the old one, renamed). For logagg two plain files that exist side by side are two logs, whatever their content.
"""

import gzip
import os
import time
from collections import Counter

import pytest

from tests.accidents.conftest import Site, line, settle
from tests.conftest import wait_until

HEAD = b"".join(line(number) for number in range(40))  # about 6 kB


def test_all_are_read(site: Site) -> None:
    site.written = 40
    for name in ("a.log", "b.log", "access.log", "access.log.1", "access.log.2", "old.log.2", "old.log.1"):
        log = site.log(name)
        log.write_bytes(HEAD)
        log.write(5)
    site.start()
    _expect_heads(site, 7)


def test_all_are_read_if_they_appear_one_after_the_other(site: Site) -> None:
    site.written = 40
    log = site.log()
    site.start()
    for generation in range(3):
        log.write_bytes(HEAD)
        log.write(5)
        _expect_heads(site, generation + 1)
        log.rotate()
        log.reopen()


def test_the_older_one_has_a_time_in_the_future(site: Site) -> None:
    """The state after rsync -a from a host whose clock is ahead."""
    site.written = 40
    for name in ("access.log.1", "access.log"):
        log = site.log(name)
        log.write_bytes(HEAD)
        log.write(30)
    tomorrow = time.time() + 86_400
    os.utime(site.folder / "access.log.1", (tomorrow, tomorrow))
    site.start()
    _expect_heads(site, 2)
    settle(3)
    site.stop()
    site.start()
    site.log().write(5)
    _expect_heads(site, 2)


@pytest.mark.thorough
def test_archives_of_other_lengths(site: Site) -> None:
    """OpenTelemetry contrib #50167: two that are found together, and a third beside them."""
    site.written = 40
    for age, count in ((2, 300), (1, 700)):
        (site.folder / f"access.log.{age}.gz").write_bytes(gzip.compress(HEAD + site.lines(count)))
    site.start()
    _expect_heads(site, 2)
    (site.folder / "access.log.3.gz").write_bytes(gzip.compress(HEAD + site.lines(100)))
    _expect_heads(site, 3)
    settle(3)
    _expect_heads(site, 3)


@pytest.mark.parametrize("end", ["", "stop", "kill"], ids=["running", "stopped", "killed"])
def test_idle_sites_behind_one_health_check(site: Site, end: str) -> None:
    """They always have the same lines: found together, grown together, rotated together."""
    logs = [site.log(f"site{number}.access.log") for number in (1, 2)]

    def write(count: int) -> None:
        data = site.lines(count)
        for log in logs:
            log.write_bytes(data)

    def expect() -> None:
        wait_until(lambda: site.counted() == Counter(list(range(site.written)) * 2), site.process)

    write(40)
    site.start()
    expect()
    for _ in range(2):
        write(10)
        expect()
        if end:
            getattr(site, end)()
            write(3)
        for log in logs:
            log.rotate()
            log.reopen()
        write(20)
        if end:
            site.start()
        expect()
    for log in logs:
        log.compress(2)
    write(5)
    settle(3)
    expect()


def _expect_heads(site: Site, times: int) -> None:
    lines = 40 * times + site.written - 40
    wait_until(lambda: len(site.counted()) == site.written and site.counted().total() >= lines, site.process)
    counted = site.counted()
    assert {counted[number] for number in range(40)} == {times}
    assert {counted[number] for number in range(40, site.written)} == {1}


@pytest.fixture
def site(site: Site) -> Site:
    site.check = lambda: None  # type: ignore[method-assign]  # lines of the head are in each of the files
    return site
