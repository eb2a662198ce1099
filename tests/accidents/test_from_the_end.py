"""`--from end` skips lines that exist at the first start, but no later line, even if it is written while no tail runs.

If a log has no line between the start and the stop, other programs have no record of it and begin at its end again
(Filebeat #1022, Logstash file input #72); a log that cannot be read at first is then read from its start (Telegraf
#13154, mtail #17, grok_exporter #63); Fluentd read new generations from their end until 1.14 (#3542). logagg commits
the starting position as soon as it is decided.
"""

import pytest

from tests.accidents.conftest import Log, Site, line
from tests.conftest import wait_until

OLD = b"".join(line(number) for number in range(900_000, 900_100))  # lines that must not be counted

pytestmark = pytest.mark.parametrize("end", ["stop", "kill"])


def _old(site: Site, name: str = "access.log") -> Log:
    log = site.log(name)
    log.write_bytes(OLD)
    return log


def _start(site: Site, *paths: object) -> None:
    """Start at the end; return when the tail has looked at the logs."""
    site.start(*paths, from_="end", verbose=True)
    wait_until(lambda: ": reading from " in site.notices(), site.process)


def test_a_log_without_a_line_until_the_stop(site: Site, end: str) -> None:
    quiet, empty, busy = _old(site), site.log("empty.access.log"), site.log("busy.access.log")
    _start(site)
    busy.write(5)
    site.expect()
    getattr(site, end)()
    quiet.write(30)
    empty.write(10)
    site.start(from_="end")
    site.expect()
    quiet.write(7)
    empty.write(7)
    site.expect()


def test_generations_that_appear_while_no_tail_runs(site: Site, end: str) -> None:
    read, quiet = _old(site, "read.access.log"), _old(site, "quiet.access.log")
    _start(site)
    read.write(5)
    site.expect()
    getattr(site, end)()
    for log in (read, quiet):
        for _ in range(3):
            log.write(10)
            log.rotate()
            log.reopen()
        log.compress(3)
        log.write(10)
    site.start(from_="end")
    site.expect()


def test_a_log_that_cannot_be_read_at_first(powerless: Site, end: str) -> None:
    site, log, other = powerless, _old(powerless), powerless.log("other.access.log")
    log.path.chmod(0)
    _start(site)
    other.write(5)
    site.expect()
    log.write(3)
    log.path.chmod(0o644)
    site.expect()
    getattr(site, end)()
    log.write(7)
    site.start(from_="end")
    site.expect()


def test_a_log_that_is_rotated_before_it_can_be_read(powerless: Site, end: str) -> None:
    site, log, other = powerless, _old(powerless), powerless.log("other.access.log")
    log.path.chmod(0)
    _start(site)
    other.write(5)
    site.expect()
    log.rotate()
    log.write(3)
    log.reopen()
    log.write(4)
    site.expect_all_but(range(5, 8))
    log.rotated(1).chmod(0o644)
    site.expect()
    getattr(site, end)()


@pytest.mark.parametrize("mode", [0, 0o600], ids=["shut", "listed"])
def test_a_directory_that_cannot_be_entered_at_first(powerless: Site, mode: int, end: str) -> None:
    site, paths = powerless, [powerless.folder / "*" / "access.log"]
    for name in ("one", "two"):
        (site.folder / name).mkdir()
    log, other = _old(site, "one/access.log"), site.log("two/access.log")
    (site.folder / "one").chmod(mode)
    _start(site, *paths)
    other.write(5)
    site.expect()
    log.write_bytes(OLD)  # lines that are written meanwhile cannot be told from those that existed before
    (site.folder / "one").chmod(0o755)
    wait_until(lambda: f"{log.path}: reading from" in site.notices(), site.process)
    log.write(7)
    site.expect()
    getattr(site, end)()
    log.write(7)
    site.start(*paths, from_="end")
    site.expect()


def test_a_log_that_is_created_while_the_tail_runs(site: Site, end: str) -> None:
    _old(site)
    _start(site)
    new = site.log("new.access.log")
    new.write(5)
    site.expect()
    new.rotate()
    new.reopen()
    getattr(site, end)()
    new.write(5)
    site.start(from_="end")
    site.expect()
