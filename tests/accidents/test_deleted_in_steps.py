"""An old log is deleted slowly: truncated in steps, so that the file system is not kept busy (Filebeat #19123, #20410).

Programs that take the rest for a new file read it again. logagg recognises its content.
"""

import os

import pytest

from tests.accidents.conftest import Site, settle


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("name", ["access.log.1", "access.log-20261128"])
def test_nothing_is_read_again(site: Site, name: str, running: bool) -> None:
    old, live = site.log(name), site.log()
    old.write(1000)
    live.write(50)
    site.start()
    site.expect()
    size = old.path.stat().st_size
    if not running:
        site.stop()
    for part in (3, 2, 1, 0):
        os.truncate(old.path, size * part // 4)
        if running:
            settle(1)
            live.write(1)
            site.expect()
        else:
            site.once()
            site.check()
    old.path.unlink()
    live.write(1)
    if not running:
        site.start()
    site.expect()
