"""Visits of a lake that workers share are those that a count over its requests gives."""

from __future__ import annotations

from tests.conftest import combined
from tests.gearmand import Site
from tests.laws.visiting import assert_visits

PAGES = [("/", 200), ("/tea", 200), ("/click?ad=1", 302), ("/conv?ad=1", 200)] * 12


def test_workers_derive_what_one_process_would(site: Site) -> None:
    logagg, log = site.logagg, site.logagg.folder / "access.log"
    (logagg.folder / "logagg.toml").write_text('[visits]\nlate = "1s"\n')  # so that a derivation is due at once
    workers = [site.worker("0,2/3"), site.worker("1/3")]
    site.await_lake()
    log.write_text("".join(combined(PAGES, client=f"192.0.2.{number}") for number in range(20)))
    tail = site.tail("web1", log)
    logagg.await_lines(20 * len(PAGES), tail)
    assert_visits(logagg.lake)
    site.stop(tail)
    for worker in workers:
        site.stop(worker)
    assert_visits(logagg.lake)
    assert logagg.read("SELECT sum(visits)::INT > 0 FROM visits") == [(True,)]
    assert "all is well" in logagg.run("check").stdout
