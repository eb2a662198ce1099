"""The file with the positions is empty, torn or half written, after a crash, a full disk or a power cut.

Vector #20753 (open: `EOF while parsing`); Alloy restarts at the beginning of each log, and counts all lines twice. logagg
writes each catalog under a new name, syncs it, then moves the link: a torn new catalog is never opened. A
damaged live catalog is refused, and no line counts twice.
"""

from tests.accidents.conftest import Site


def test_a_torn_new_catalog_is_never_looked_at(site: Site) -> None:
    log = site.log()
    log.write(50)
    site.start()
    site.expect()
    site.kill()
    live = (site.logagg.lake / "logagg.duckdb").resolve()
    (live.parent / "999999-torn.duckdb").write_bytes(live.read_bytes()[:3000])
    (live.parent / "999998-empty.duckdb").touch()
    (site.logagg.lake / ".999999-torn.duckdb.link").symlink_to("catalog/999999-torn.duckdb")
    log.write(50)
    site.start()
    site.expect()


def test_a_torn_live_catalog_is_refused(site: Site) -> None:
    log = site.log()
    log.write(50)
    site.start()
    site.expect()
    site.stop()
    live = (site.logagg.lake / "logagg.duckdb").resolve()
    whole = live.read_bytes()
    live.write_bytes(whole[: len(whole) // 2])
    done = site.logagg.run("tail", "--once", site.folder, status=1)
    assert "not a catalog of logagg" in done.stderr
    live.write_bytes(whole)
    log.write(5)
    site.start()
    site.expect()
