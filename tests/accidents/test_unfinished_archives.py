"""An archive is created in a directory that is followed; the tail looks at it at once, and finds it empty.

Grafana Alloy waits for `initial_delay` (#3193). logagg looks at a file again when it changes, even if the first look
came before its first bytes, which show that it is compressed.
"""

import gzip
import subprocess
import sys
from pathlib import Path

from tests.accidents.conftest import Site, settle

# Widens the gap between the look at the first bytes and the reading, during which the archive is filled.
SLOW = """
import os, time

read = os.pread

def pread(descriptor, size, position):
    data = read(descriptor, size, position)
    if size < 16 and position == 0 and not data:
        time.sleep(0.05)
    return data

os.pread = pread
"""
LATE = "import sys, time; time.sleep(1); sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())"


def test_filled_at_the_moment_of_the_look(site: Site) -> None:
    (package := site.logagg.folder / "slow").mkdir()
    (package / "sitecustomize.py").write_text(SLOW)
    site.logagg.env |= {"PYTHONPATH": str(package), "LOGAGG_TAIL_IDLE": "2s"}
    site.log().write(60)
    site.start()
    site.expect()
    for day in range(3):
        data = gzip.compress(site.lines(100))
        with (site.folder / f"access.log-2026031{day}.gz").open("wb", buffering=0) as archive:
            settle(0.02)
            archive.write(data)
        site.expect()
    site.stop()
    site.once()


def test_found_empty(site: Site) -> None:
    site.logagg.env["LOGAGG_TAIL_IDLE"] = "2s"
    log, outside = site.log(), site.logagg.folder / "outside"
    log.write(50)
    site.start()
    site.expect()
    plain, packed = outside.with_suffix(".log"), outside.with_suffix(".gz")
    for day in range(2):
        for hour, (source, argv) in enumerate(_ways(plain, packed)):
            plain.write_bytes(site.lines(200))
            packed.write_bytes(gzip.compress(plain.read_bytes()))
            settle(0.7)
            suffix = "" if source == plain else ".gz"
            with (site.folder / f"access.log-2026031{day}{hour:02}{suffix}").open("wb") as archive:
                subprocess.run([str(word) for word in argv], stdout=archive, check=True)
    site.expect()
    log.write(10)
    site.expect()
    site.stop()
    site.once()


def _ways(plain: Path, packed: Path) -> list[tuple[Path, list[object]]]:
    """Yield the ways in which an archive is created: its content, and the program that writes it."""
    late = [sys.executable, "-c", LATE]
    return [
        (packed, ["cat", packed]),
        (packed, ["gzip", "-c", plain]),
        (packed, [*late, packed]),
        (plain, ["cat", plain]),
        (plain, [*late, plain]),
    ]


def test_filled_while_the_tail_is_stopped(site: Site) -> None:
    """The archive was empty, or had a part of its header, and is complete at the next start."""
    site.log().write(50)
    data = [gzip.compress(site.lines(100)) for _ in range(3)]
    archives = [site.folder / f"access.log-2026031{day}.gz" for day in range(3)]
    for day, archive in enumerate(archives):
        archive.write_bytes(data[day][: day * 6])
    site.start()
    site.expect_all_but(range(50, 350))
    settle(1)
    site.kill()
    for archive, whole in zip(archives, data, strict=True):
        archive.write_bytes(whole)
    site.start()
    site.expect()
