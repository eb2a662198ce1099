"""A symbolic link in a log directory leads to what is no access log: a stranger may write there, the tail runs as root.

logagg follows a link that it finds only to a regular file that is an access log by its own name. A link that is named on
the command line is followed: a person asked for it.
"""

import os

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
