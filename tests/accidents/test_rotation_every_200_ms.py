"""Rotation is faster than reading.

Fluent Bit #1108 (650,000 of a million lines), #2110 (open), Grafana Alloy #3931 (open: some missing and some twice).
logagg looks for new files while it reads, keeps each open until it is read, and recognises it under each of its names.
"""

from tests.accidents.conftest import Site, settle


def test_all_are_counted(site: Site) -> None:
    log = site.log()
    site.start(flush=1)
    for _ in range(20):
        log.write(500)
        settle(0.1)
        log.rotate()
        log.write(100)
        settle(0.1)
        log.reopen()
    site.expect()
