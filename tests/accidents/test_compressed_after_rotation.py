"""A rotation is compressed: at once, or at the next rotation (delaycompress); the glob matches the .gz, too.

Vector #7990 (open: read again), #13193 (the checksum was of compressed bytes), Grafana Alloy #3193 (open). logagg recognises
the compressed log by its decompressed content, and reads the rest there.
"""

import bz2
import gzip
from collections.abc import Callable

import pytest
import zstandard

from tests.accidents.conftest import Site

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


def test_at_the_next_rotation(site: Site) -> None:
    log = site.log()
    site.start()
    for generation in range(4):
        log.write(50)
        log.rotate()
        log.write(10)
        log.reopen()
        if generation:
            log.compress(2)
        site.expect()


@pytest.mark.parametrize("suffix", COMPRESS)
def test_before_it_was_read_to_its_end(site: Site, suffix: str) -> None:
    log = site.log()
    log.write(500)
    site.start()
    site.expect()
    site.kill()
    log.write(500)
    log.rotate()
    log.rotated(1, f".{suffix}").write_bytes(COMPRESS[suffix](log.rotated(1).read_bytes()))
    log.rotated(1).unlink()
    log.reopen()
    log.write(20)
    site.start()
    site.expect()


def test_beside_the_original(site: Site) -> None:
    """The state after `gzip -k`, before the first start."""
    log = site.log()
    log.write(100)
    log.rotate()
    log.reopen()
    log.rotated(1, ".gz").write_bytes(gzip.compress(log.rotated(1).read_bytes()))
    log.path.with_suffix(".log.gz").write_bytes(gzip.compress(log.path.read_bytes()))
    log.write(10)
    site.start()
    site.expect()
    log.rotated(1).unlink()
    log.write(10)
    site.expect()
    site.stop()
    site.start()
    log.write(10)
    site.expect()
