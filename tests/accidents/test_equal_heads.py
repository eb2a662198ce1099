"""Two logs begin with the same bytes: the same header, the same first requests.

Vector discussion #17520 ("more than one file has the same fingerprint": one is skipped), Filebeat #51417 (the new file
is taken for the old one, renamed). To logagg two plain files that lie side by side are two, whatever they hold.
"""

import pytest

from tests.accidents.conftest import Site, line
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


def test_also_one_after_the_other(site: Site) -> None:
    site.written = 40
    log = site.log()
    site.start()
    for generation in range(3):
        log.write_bytes(HEAD)
        log.write(5)
        _expect_heads(site, generation + 1)
        log.rotate()
        log.reopen()


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
