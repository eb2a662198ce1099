"""nginx buffers (`buffer=32k flush=5s`) and has several workers: lines arrive in bursts, and not in the order of time.

ngxtop #30, #103; StoneStepsWebalizer #10 refuses such a file. logagg counts a line by its time, so the order does not
matter; the totals of each minute are those of the sorted log.
"""

import random

from tests.accidents.conftest import LINE, Site, settle


def test_each_minute_has_its_lines(site: Site) -> None:
    lines = site.lines(3_000).splitlines(keepends=True)
    chance = random.Random(7)
    shuffled = [lines[at] for at in sorted(range(len(lines)), key=lambda at: at + chance.uniform(-60, 60))]
    log = site.log()
    site.start()
    for at in range(0, len(shuffled), 500):
        log.write_bytes(b"".join(shuffled[at : at + 500]))
        settle(0.2)
    log.write_bytes(LINE % (1, 0, 0, 1, site.written, b"late, by an hour"))
    site.written += 1
    site.expect()
    minutes = site.logagg.read("SELECT sum(hits)::INT FROM traffic GROUP BY ts ORDER BY ts")
    assert minutes == [(61,), *[(60,)] * 49]
