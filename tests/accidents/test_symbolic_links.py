"""A symbolic link in a log directory leads to a file that is not an access log: other users may write there, while the tail runs as root.

logagg follows a link that it finds only if the target is a regular file with the name of an access log. A link that is named on
the command line is always followed.
"""

import os

import pytest

from tests.accidents.conftest import Site


def test_only_access_logs_are_read(site: Site) -> None:
    outside = site.logagg.folder / "outside"
    outside.mkdir()
    for name in ("secret.txt", "error.log", "shadow", "real-access.log"):
        (outside / name).write_bytes(site.lines(5))
    os.mkfifo(outside / "fifo.access.log")
    for name in ("secret.txt", "error.log", "shadow", "real-access.log", "fifo.access.log"):
        (site.folder / f"{name}.access.log").symlink_to(outside / name)
    (site.folder / "gone.access.log").symlink_to(outside / "nothing")
    os.mkfifo(site.folder / "fifo.access.log")
    site.lost = set(range(15))
    site.once()
    assert sorted(site.counted()) == list(range(15, 20))

    site.once(site.folder / "*.log")
    assert sorted(site.counted()) == list(range(15, 20))

    site.once(site.folder / "secret.txt.access.log")
    assert sorted(site.counted()) == [0, 1, 2, 3, 4, *range(15, 20)]


@pytest.mark.parametrize("broken", ["loop", "denied"])
def test_a_link_that_cannot_be_followed_hides_nothing_else(powerless: Site, broken: str) -> None:
    """The link is a loop (ELOOP), or leads to a directory without permission (EACCES): the listing of the directory continues."""
    site, logs = powerless, [powerless.log(), powerless.log("b.access.log")]
    for log in logs:
        log.write(20)
    (shut := site.logagg.folder / "shut").mkdir()
    site.start()
    site.expect()
    links = [site.folder / f"l{number}.log" for number in range(8)]
    for link in links:
        link.symlink_to(link.name if broken == "loop" else shut / "access.log")
    shut.chmod(0)
    for log in (*logs, site.log("new.access.log")):
        log.write(20)
    logs[1].rotate()
    logs[1].reopen()
    logs[1].write(20)
    site.expect()
    assert "cannot be followed" in site.notices()
    site.kill()
    logs[0].rotate()
    logs[0].reopen()
    logs[0].write(20)
    site.start()
    site.expect()
    assert "l0.log, l1.log, l2.log and 5 others cannot be followed" in site.notices(), "all exist at the first look"
    shut.chmod(0o755)


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("asked", ["directory", "link", "glob"])
def test_a_log_reached_by_a_link_is_rotated_beside_its_target(site: Site, asked: str, end: str) -> None:
    """Fluent Bit #2052, Loki #274. Also while the tail is stopped; the rest is beside the target."""
    (real := site.logagg.folder / "real").mkdir()
    log = site.log("../real/www.access.log")
    link = site.folder / "access.log"
    link.symlink_to(log.path.resolve())
    paths = {"directory": site.folder, "link": link, "glob": site.folder / "*.log"}
    log.write(100)
    site.start(paths[asked])
    site.expect()
    log.write(5)
    log.rotate()
    log.write(5)
    log.reopen()
    log.write(5)
    site.expect()
    getattr(site, end)()
    log.write(20)
    log.rotate()
    log.reopen()
    log.write(20)
    log.compress(2)
    log.rotated(1).rename(real / "www.access.log-20261128")
    site.start(paths[asked])
    site.expect()
