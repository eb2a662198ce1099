"""Several generations of a log wait to be read.

Vector reads the oldest first only if told to. logagg always does, within a log, by the age in the names: results that
depend on order (the first click of several, a position) are the same as if it had followed the log all the time.
"""

import gzip

from tests.accidents.conftest import Site


def test_by_number_and_by_date(site: Site) -> None:
    for names in (
        ["access.log.10.gz", "access.log.2", "access.log.1", "access.log"],
        ["b.log-20260301", "b.log-20260302", "b.log"],
    ):
        for name in names:
            lines = site.lines(10)
            (site.folder / name).write_bytes(gzip.compress(lines) if name.endswith("gz") else lines)
    site.logagg.run("tail", "--once", "-v", site.folder)
    clicks = (
        '192.0.2.1 - - [02/Mar/2026:00:00:%02d +0000] "GET /click?campaign=a&ad=1 HTTP/1.1" 302 0 "-" "x"\nnone: %s\n'
    )
    site.rejects = {"format": 3}
    site.logagg.run("tail", "--once", _clicks(site, clicks))
    # Samples of rejects are kept in the order of reading.
    assert [line for (line,) in site.logagg.read("SELECT line FROM reject_samples")] == [
        "none: clicks.log.2",
        "none: clicks.log.1",
        "none: clicks.log",
    ]
    assert site.logagg.read("SELECT sum(clicks)::INT, sum(clicks_dup)::INT FROM ads") == [(1, 2)]


def _clicks(site: Site, click: str) -> object:
    folder = site.logagg.folder / "clicks"
    folder.mkdir()
    for second, name in enumerate(["clicks.log.2", "clicks.log.1", "clicks.log"]):
        (folder / name).write_text(click % (second, name))
    return folder
