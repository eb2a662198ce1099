"""Reading a compressed log is interrupted.

Vector cannot resume a gzip file from a checkpoint, according to its manual. logagg's positions are those of the decompressed
content; after a crash it decompresses up to the position, verifies the bytes before it, and continues.
"""

import gzip

from tests.accidents.conftest import Site
from tests.conftest import wait_until


def test_reading_continues_at_the_committed_position(site: Site) -> None:
    log = site.log("access.log.2.gz")
    log.write_bytes(gzip.compress(site.lines(8_000), 1))
    seen = 0
    site.logagg.env["LOGAGG_TAIL_CHUNK"] = "32KB"
    for _ in range(3):
        site.start(shards=1)
        wait_until(lambda seen=seen: len(site.counted()) > seen, site.process)  # type: ignore[misc]
        site.kill()
        seen = min(len(site.counted()), site.written - 1)
    site.start()
    site.expect()


def test_the_intact_part_of_a_corrupt_archive_is_read(site: Site) -> None:
    log = site.log("access.log.2.gz")
    whole, rest = site.lines(2_000), site.lines(20_000)
    log.write_bytes(gzip.compress(whole) + gzip.compress(rest)[:-30_000] + b"\xff" * 30_000)
    site.lost = set(range(2_000, 22_000))
    site.start()
    site.expect()
    site.expect_note("corrupt gz")
    assert len(site.counted()) > 2_000
