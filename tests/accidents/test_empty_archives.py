"""The tail looks at an archive when it is still empty, before its compressor writes the first byte.

The file then looks like a plain log, and its bytes like a log of no known format.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.accidents.conftest import Site, settle


def fill(path: Path, packed: bytes) -> None:
    """Write an archive piece by piece; the first piece is empty, and the second too short to show that it is an archive."""
    with path.open("wb", buffering=0) as file:
        for start, end in ((0, 0), (0, 1), (1, len(packed) // 2), (len(packed) // 2, len(packed))):
            file.write(packed[start:end])
            settle(0.7)


def test_the_archive_of_a_log_that_is_read(site: Site) -> None:
    log = site.log()
    log.write(100)
    site.start()
    site.expect()
    for _ in range(2):
        log.rotate()
        log.reopen()
        log.write(20)
        site.expect()
        plain = log.rotated(1)
        fill(log.rotated(1, ".gz"), gzip.compress(plain.read_bytes()))
        plain.unlink()
        log.write(20)
        site.expect()
        assert " format: " not in site.notices() and " unreadable: " not in site.notices(), site.notices()
        log.rotated(1, ".gz").rename(log.rotated(2, ".gz"))


@pytest.mark.parametrize("name", ["access.log-20260301.gz", "old.log.gz"])
def test_an_archive_of_an_unknown_log(site: Site, name: str) -> None:
    site.log().write(20)
    site.start()
    site.expect()
    packed = gzip.compress(site.lines(100))
    fill(site.folder / name, packed)
    site.expect()
    assert " format: " not in site.notices() and " unreadable: " not in site.notices(), site.notices()
