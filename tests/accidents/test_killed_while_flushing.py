"""The tail is killed while it writes, when positions on the disk might be ahead of the counts, or behind them.

Fluent Bit #4273, #3926 lose their buffers; all others resend lines whose delivery is not confirmed. logagg makes
counts and positions visible together, by one rename. (`tests/laws` kills it at each named step of a commit.)
"""

import random

from tests.accidents.conftest import Site, settle


def test_at_any_moment(site: Site) -> None:
    chance = random.Random(1)
    log = site.log()
    for _ in range(8):
        site.start(flush=0.05)
        for _ in range(chance.randrange(4, 12)):
            log.write(chance.randrange(1, 300))
            settle(chance.random() / 4)
        site.kill()
        if chance.random() < 0.4:
            log.rotate()
            log.write(7)
            log.reopen()
    site.start()
    site.expect()
