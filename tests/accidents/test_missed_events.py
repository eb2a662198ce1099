"""New files and new bytes come without an event: the watch queue is full, the watch is lost, or none can be created.

Fluent Bit #5114, Vector #23076 (open), Loki #6503, #9699: never noticed. For logagg events are hints: it looks by
itself twice a second. Here it has no watches at all: the kernel refuses them to this user.
"""

import subprocess
import sys

from tests.accidents.conftest import Site

BLIND = """
import sys
from watchdog.observers.api import BaseObserver

def refuse(self, *args, **kwargs):
    raise OSError(28, "inotify watch limit reached")

BaseObserver.schedule = refuse
from logagg.cli import main
sys.argv[0] = "logagg"
main()
"""


def test_all_is_found_without_events(site: Site) -> None:
    log = site.log()
    log.write(10)
    argv = [sys.executable, "-c", BLIND, "tail", "--flush", "0.1", str(site.folder)]
    with (site.logagg.folder / "tail.log").open("a") as notices:
        site.process = subprocess.Popen(argv, env=site.logagg.env, stdout=notices, stderr=notices, text=True)
    site.expect()
    log.rotate()
    log.reopen()
    log.write(10)
    site.log("new.access.log").write(10)
    site.expect()
    assert "cannot be watched" in site.notices()
