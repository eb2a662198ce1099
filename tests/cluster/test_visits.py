"""Visits and attribution of a lake that workers share are those that a count over its requests gives."""

from __future__ import annotations

from tests.conftest import combined
from tests.gearmand import Site
from tests.laws.test_attribution import assert_attributed
from tests.laws.visiting import assert_visits

PAGES = [("/", 200), ("/click?ad=1&id=i1", 302), ("/tea?gclid=g1", 200), ("/conv?ad=1", 200)] * 12
ORDERS = [("/tea", 200), ("/conv?order=1&gclid=g1", 200), ("/conv?order=2", 200), ("/conv?order=3&id=i1", 200)]
# Derivations are due at once; the windows are those of the law.
CONFIG = '[visits]\nlate = "1s"\n[attribution]\nclick = "12h"\nview = "1h"\n'


def test_workers_derive_what_one_process_would(site: Site) -> None:
    """One tail reads visits and clicks, another one orders of the same clients, five hours later."""
    logagg, logs = site.logagg, [site.logagg.folder / name for name in ("access.log", "orders.log")]
    (logagg.folder / "logagg.toml").write_text(CONFIG)
    workers = [site.worker("0,2/3"), site.worker("1/3")]
    site.await_lake()
    clients = [f"192.0.2.{number}" for number in range(20)]
    logs[0].write_text("".join(combined(PAGES, client=client) for client in clients))
    logs[1].write_text("".join(combined(ORDERS, client=client) for client in clients).replace("2026:00:", "2026:05:"))
    tails = [site.tail("web1", logs[0])]
    logagg.await_lines(20 * len(PAGES), tails[0])
    assert_visits(logagg.lake)
    tails.append(site.tail("web2", logs[1]))
    logagg.await_lines(20 * (len(PAGES) + len(ORDERS)), tails[1])
    assert_attributed(logagg.lake, set(), "linear")
    for process in (*tails, *workers):
        site.stop(process)
    assert_visits(logagg.lake)
    assert_attributed(logagg.lake, set())
    assert logagg.read("SELECT sum(visits)::INT > 0 FROM visits") == [(True,)]
    via = logagg.read("SELECT via, invalid, count(*) FROM paths WHERE order_id <> '' GROUP BY ALL ORDER BY ALL")
    assert via == [("click", "", 1), ("click", "duplicate", 19), ("click_id", "", 2), ("click_id", "duplicate", 38)]
    assert "all is well" in logagg.run("check").stdout
