"""Logs are missing when the tail starts: not mounted yet, or in a directory without permission. Later they are back unchanged.

Filebeat's `clean_removed` forgets them, and reads all again (beats #1022 discusses it, #2652); a program that takes a missing log for
a finished one never reads the rest. In logagg a missing log is not finished: it continues at its position when it is back.
"""

from collections.abc import Callable, Sequence

import pytest

from tests.accidents.conftest import Site
from tests.conftest import wait_until

BACKLOG = 60_000  # enough lines for a few commits


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_disk_that_is_not_mounted_at_the_start(site: Site, end: str) -> None:
    _begin_a_backlog(site)
    _end(site, end)
    hidden = site.folder.with_name("away")
    for _ in range(2):
        (site.folder / "access.log.1").rename(hidden)
        site.start()
        site.log("other.access.log").write(1)
        site.expect_all_but(range(BACKLOG))
        site.stop()
        hidden.rename(site.folder / "access.log.1")
    site.start()
    site.expect()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_logs_are_back_while_the_tail_runs(site: Site, end: str) -> None:
    _begin_a_backlog(site)
    _end(site, end)
    hidden = site.folder.with_name("away")
    (site.folder / "access.log.1").rename(hidden)
    site.start()
    site.log("other.access.log").write(1)
    site.expect_all_but(range(BACKLOG))
    hidden.rename(site.folder / "access.log.1")
    site.expect()
    assert site.notes() == []


def test_a_directory_that_cannot_be_entered_at_the_start(powerless: Site) -> None:
    site, paths = powerless, [powerless.folder / "*" / "access.log*"]
    (shut := site.folder / "one").mkdir()
    (site.folder / "two").mkdir()
    _begin_a_backlog(site, "one/access.log.1", paths)
    site.kill()
    shut.chmod(0)
    site.start(*paths)
    site.log("two/access.log").write(1)
    site.expect_all_but(range(BACKLOG))
    shut.chmod(0o755)
    site.expect()


def test_a_log_that_cannot_be_read_at_the_start(powerless: Site) -> None:
    site, log, other = powerless, powerless.log(), powerless.log("other.access.log")
    log.write(100)
    site.start()
    site.expect()
    site.kill()
    log.write(20)
    log.path.chmod(0)
    site.start()
    other.write(1)
    site.expect_all_but(range(100, 120))
    log.rotate()
    log.reopen()
    log.write(30)
    log.rotated(1).chmod(0o644)
    site.expect()


def test_reading_once_while_logs_are_missing(site: Site) -> None:
    _begin_a_backlog(site, once=True)
    site.stop()
    hidden = site.folder.with_name("away")
    (site.folder / "access.log.1").rename(hidden)
    site.log("other.access.log").write(1)
    site.once()
    hidden.rename(site.folder / "access.log.1")
    site.once()


def test_rotations_without_a_last_newline(site: Site) -> None:
    site.logagg.env["LOGAGG_TAIL_IDLE"] = "1s"
    log, live, other = site.log("access.log.1"), site.log(), site.log("other.access.log")
    log.write_bytes(site.lines(500)[:-1])
    live.write(500)
    site.start()
    site.expect_all_but({499})
    site.stop()
    logs = [log.path, live.path]
    for path in logs:
        path.rename(site.folder.with_name(path.name))
    site.start()
    other.write(1)
    site.expect_all_but({499})
    for path in logs:
        site.folder.with_name(path.name).rename(path)
    site.expect()


def test_the_directory_is_created_again(site: Site) -> None:
    """The directory is renamed, created again, and then hidden by a mount."""
    log, old = site.log(), site.folder.with_name("old")
    log.write(200)
    site.start()
    site.expect()
    site.folder.rename(old)
    log.write(20)  # the server still holds it open
    site.folder.mkdir()
    log.reopen()
    log.write(100)
    site.expect()


def test_a_file_system_is_mounted_over_it(mount: Callable[..., None], site: Site) -> None:
    log = site.log()
    log.write(200)
    site.start()
    site.expect()
    mount("-t", "tmpfs", "tmpfs", at=site.folder)
    log.write(20)  # to the hidden directory below it
    log.reopen()
    log.write(100)
    site.expect()


def _begin_a_backlog(
    site: Site, name: str = "access.log.1", paths: Sequence[object] | None = None, **options: object
) -> None:
    """Write many lines, and start a tail; return when it has committed some of them."""
    site.logagg.env["LOGAGG_TAIL_CHUNK"] = "16KB"
    (site.folder / name).write_bytes(site.lines(BACKLOG))
    site.start(*(paths or []), flush=0.01, shards=1, **options)
    wait_until(lambda: bool(site.counted()), site.process)
    del site.logagg.env["LOGAGG_TAIL_CHUNK"]


def _end(site: Site, how: str) -> None:
    getattr(site, how)()
