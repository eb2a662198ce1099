"""A compressed log is found while it is written: by gzip, after rotation, or by nginx itself (`access_log ... gzip`).

Tailers read the existing bytes, and take the rest for a new file or for garbage; Alloy waits for `initial_delay`
seconds. logagg decompresses the complete part, and continues when there is more. The archive of a log that was read is left
alone while it grows.
"""

import gzip

from tests.accidents.conftest import Site


def test_members_that_nginx_appends(site: Site) -> None:
    log = site.log("access.log.gz")
    site.log("access.log").write(10)
    site.start()
    for count in (100, 1, 300):
        member = gzip.compress(site.lines(count))
        log.write_bytes(member[:20])
        log.write_bytes(member[20:])
        site.expect()
    site.kill()
    log.write_bytes(gzip.compress(site.lines(50)))
    site.start()
    site.expect()


def test_half_a_member_waits(site: Site) -> None:
    log = site.log("access.log.gz")
    member = gzip.compress(site.lines(3_000))
    site.lost = set(range(3_000))
    log.write_bytes(member[:10])  # only a header, without data to decompress
    site.log("other.access.log").write(1)
    site.start()
    site.expect()
    site.lost = set()
    log.write_bytes(member[10:])
    site.expect()


def test_the_archive_of_a_log_that_was_read(site: Site) -> None:
    log = site.log()
    log.write(3_000)
    site.start()
    site.expect()
    log.rotate()
    log.reopen()
    packed = gzip.compress(log.rotated(1).read_bytes())
    with log.rotated(1, ".gz").open("wb", buffering=0) as gz:
        for at in range(0, len(packed), len(packed) // 4):
            gz.write(packed[at : at + len(packed) // 4])
            log.write(10)
            site.expect()
    log.rotated(1).unlink()
    log.write(10)
    site.expect()
