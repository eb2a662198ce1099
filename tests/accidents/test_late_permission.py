"""After a rotation the new log cannot be read for a while: `create`, then `chmod`.

Telegraf #13154, mtail #17, grok_exporter #63, Fluentd #903: the log is given up, or a part of it is missed. logagg tries again, and
reads it from its start; also if it was rotated meanwhile.
"""

import os

from tests.accidents.conftest import Site, settle


def test_it_is_read_once_permitted(powerless: Site) -> None:
    site, log = powerless, powerless.log()
    log.write(100)
    site.start()
    site.expect()
    for rotation in range(4):
        log.rotate()
        os.close(os.open(log.path, os.O_CREAT | os.O_WRONLY, 0))
        log.reopen()
        log.write(50)
        settle(0.7)
        if rotation % 2:
            site.expect_all_but(range(site.written - 100, site.written))
            log.rotated(1).chmod(0o644)
            log.path.chmod(0o644)
            site.expect()
    assert site.notices().count("unreadable: ") >= 1
