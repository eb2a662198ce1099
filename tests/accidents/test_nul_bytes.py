"""A log begins with NUL bytes, or has a hole of them.

A server that does not append continues at its old offset after copytruncate; a crash of the machine leaves blocks of
zeros; some servers preallocate their files. Fluent Bit skips NULs at the head only, DCPerf PR #616 lost
3,254 of 2.7 million nginx lines, Vector #2681. logagg skips NULs where a line should begin, counts them, and
its positions stay exact.
"""

import os

from tests.accidents.conftest import Site


def test_a_server_that_does_not_append(site: Site) -> None:
    log = site.log()
    log.write(200)
    site.start()
    site.expect()
    size = log.path.stat().st_size
    os.truncate(log.path, 0)
    with log.path.open("r+b", buffering=0) as server:
        server.seek(size)
        server.write(site.lines(100))
        site.expect()
        server.write(site.lines(10))
        site.expect()
    site.expect_note(f"{size:,} NUL bytes passed over")
    assert "nul_bytes: " in site.notices()
    assert site.logagg.read("SELECT max(nul_bytes) FROM sources") == [(size,)]


def test_holes_between_lines_over_any_number_of_chunks(site: Site) -> None:
    log = site.log()
    log.write_bytes(site.lines(3) + b"\0" * 7 + site.lines(2) + b"\0" * 5_000_000 + site.lines(4) + b"\0")
    site.start()
    site.expect()
    log.write(5)
    site.expect()
    site.expect_note("5,000,008 NUL bytes passed over")


def test_a_preallocated_file(site: Site) -> None:
    path = site.folder / "access.log"
    path.touch()
    os.truncate(path, 3_000_000)
    with path.open("r+b", buffering=0) as server:
        server.write(site.lines(20))
        site.start()
        site.expect()
        whole = site.lines(1)
        site.lost = {20}
        server.write(whole[:-30])
        site.expect()
        site.lost = set()
        server.write(whole[-30:])
        site.expect()
        server.write(site.lines(10))
        site.expect()
    assert site.notes() == []
