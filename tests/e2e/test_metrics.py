"""`--metrics`: the metrics of a tail, of a tail of a cluster, and of a worker."""

from __future__ import annotations

import re
import urllib.request

from tests.conftest import Command, combined, wait_until
from tests.gearmand import Site, free_port

LOG = combined([(f"/{number}", 200) for number in range(40)]) + "no line\n"


def scraped(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {name: float(value) for name, value in re.findall(r"^(logagg_\S+) (\S+)$", text, re.M)}


def gauges(port: int, *names: str) -> list[float]:
    """Return the values of these metrics; nothing while the port is not open yet."""
    try:
        found = scraped(port)
    except OSError:
        return []
    return [found[f"logagg_{name}"] for name in names]


def test_a_tail(logagg: Command) -> None:
    log, port = logagg.folder / "access.log", free_port()
    log.write_text(LOG)
    tail = logagg.start("tail", "--metrics", f":{port}", log)
    logagg.await_lines(41, tail)
    found = scraped(port)
    assert found['logagg_events_total{kind="pageview"}'] == 40
    assert found['logagg_rejects_total{reason="format"}'] == 1
    assert (found["logagg_read_bytes_total"], found["logagg_unread_bytes"]) == (len(LOG), 0)
    other = logagg.folder / "other"
    other.mkdir()
    (other / "loop.log").symlink_to("loop.log")
    tail.terminate()
    assert tail.wait(30) == 0
    tail = logagg.start("tail", "--metrics", f":{port}", log, other / "loop.log", "later.log")
    names = ("followed_logs", "unreadable_logs", "unparsed_logs", "waiting_paths")
    wait_until(lambda: gauges(port, *names) == [1, 1, 0, 1], tail)
    assert scraped(port)["logagg_behind_seconds"] >= 0
    assert scraped(port)['logagg_notices_total{kind="waiting"}'] == 1
    tail.terminate()
    assert tail.wait(30) == 0


def test_a_cluster(site: Site) -> None:
    log, port, other = site.logagg.folder / "access.log", free_port(), free_port()
    log.write_text(LOG)
    site.worker("0-1/2", "--metrics", f"127.0.0.1:{port}")
    site.await_lake()
    tail = site.tail("web1", "--metrics", f"127.0.0.1:{other}", log)
    site.logagg.await_lines(41, tail)
    assert scraped(port)['logagg_jobs_taken_total{shard="1"}'] >= 1
    assert scraped(other)['logagg_events_total{kind="pageview"}'] == 40
    wait_until(lambda: scraped(other)['logagg_uncommitted_jobs{shard="0"}'] == 0, tail)


def test_the_port_is_taken(logagg: Command, site: Site) -> None:
    (logagg.folder / "access.log").write_text(LOG)
    taken = site.servers[0].port
    done = logagg.run("tail", "--once", "--metrics", f":{taken}", "access.log", status=1)
    assert f"metrics cannot be served at 127.0.0.1:{taken}: Address already in use" in done.stderr
