"""A line is longer than any line should be.

Fluent Bit #370, #10435 (by default the file is dropped, so that any client can blind it), #3488 (read twice), #736, #11457;
GoAccess makes two lines of it at 4,096 bytes. logagg counts one reject, `too_long`, skips the line a piece at a time
in bounded memory, and its positions stay exact.
"""

import pytest

from tests.accidents.conftest import Site
from tests.conftest import peak


@pytest.mark.parametrize("chunk", ["64KB", "8MB"])
def test_an_over_long_line_is_one_reject(site: Site, chunk: str) -> None:
    site.logagg.env |= {"LOGAGG_TAIL_CHUNK": chunk, "LOGAGG_TAIL_MAX_LINE": "100KB"}
    log = site.log()
    log.write_bytes(site.lines(3) + b"x" * 200_000 + b"\n" + site.lines(2) + b"y" * 150_000)
    site.rejects = {"too_long": 1}
    site.start()
    site.expect()
    log.write_bytes(b"y" * 1_000_000)
    site.kill()
    site.start()
    log.write_bytes(b"\n" + site.lines(4))
    site.rejects = {"too_long": 2}
    site.expect()


@pytest.mark.thorough
def test_a_gigabyte_in_bounded_memory(site: Site) -> None:
    log = site.log()
    log.write(10)
    piece = b"x" * (16 << 20)
    for _ in range(64):
        log.write_bytes(piece)
    log.write_bytes(b"\n" + site.lines(10))
    site.rejects = {"too_long": 1}
    assert peak(site.logagg.start("tail", "--once", "-q", site.folder)) < 600 << 20
    log.path.unlink()


def test_from_standard_input(site: Site) -> None:
    import subprocess

    text = site.lines(5) + b"x" * 3_000_000 + b"\n" + site.lines(5)
    site.rejects = {"too_long": 1}
    subprocess.run(site.logagg.argv("tail", "-q", "-"), input=text, env=site.logagg.env, check=True, timeout=60)
