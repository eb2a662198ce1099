"""`--metrics`: the metrics of a tail, of a tail of a cluster, and of a worker."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from collections.abc import Callable

from logagg.config.rules import KINDS
from logagg.metrics import METRICS
from logagg.notices import KINDS as NOTICES
from logagg.parse.schemas import REASONS
from tests.conftest import Command, combined, wait_until
from tests.gearmand import Site, free_port

WATCHED = (
    '[[alert]]\nname = "disk"\nabove = 1\n[notify.ops]\nkind = "webhook"\n'  # whose series are there from the start
)
LOG = combined([(f"/{number}", 200) for number in range(40)]) + "no line\n"


def exposed(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def scraped(port: int) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^(\w+(?:\{.*\})?) (\S+)$", exposed(port), re.M)}


def names(found: dict[str, float]) -> set[str]:
    return {name.partition("{")[0] for name in found if name.startswith("logagg_")}


def shown_by(process: str) -> set[str]:
    return {one.name for one in METRICS if process in one.shown_by}


def gauges(port: int, *names: str) -> list[float]:
    """Return the values of these metrics; nothing while the port is not open yet."""
    try:
        found = scraped(port)
    except OSError:
        return []
    return [found[f"logagg_{name}"] for name in names]


def test_a_tail(logagg: Command, tool: Callable[[str], str]) -> None:
    log, port = logagg.folder / "access.log", free_port()
    log.write_text(LOG)
    (logagg.folder / "logagg.toml").write_text(WATCHED)
    tail = logagg.start("tail", "--metrics", f":{port}", log)
    logagg.await_lines(41, tail)
    wait_until(
        lambda: f'logagg_log_unread_bytes{{log="{log}"}}' in scraped(port), tail
    )  # logs are looked at each second
    found = scraped(port)
    assert found['logagg_events_total{kind="pageview"}'] == 40
    assert found['logagg_rejects_total{reason="format"}'] == 1
    assert (found["logagg_read_bytes_total"], found["logagg_unread_bytes"]) == (len(LOG), 0)
    assert found[f'logagg_log_unread_bytes{{log="{log}"}}'] == found[f'logagg_log_unread_seconds{{log="{log}"}}'] == 0
    assert abs(found["logagg_last_commit_timestamp_seconds"] - time.time()) < 100
    assert 0 < found['logagg_memory_bytes{process="main"}'] < found["logagg_memory_limit_bytes"]
    assert found["process_resident_memory_bytes"] > 0
    assert names(found) == shown_by("tail")
    lint = subprocess.run([tool("promtool"), "check", "metrics"], input=exposed(port), capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout + lint.stderr
    other = logagg.folder / "other"
    other.mkdir()
    (other / "loop.log").symlink_to("loop.log")
    tail.terminate()
    assert tail.wait(30) == 0
    tail = logagg.start("tail", "--metrics", f":{port}", log, other / "loop.log", "later.log")
    kept = ("followed_logs", "unreadable_logs", "unparsed_logs", "waiting_paths")
    wait_until(lambda: gauges(port, *kept) == [1, 1, 0, 1], tail)
    found = scraped(port)
    assert found["logagg_behind_seconds"] >= 0
    assert found['logagg_notices_total{kind="waiting"}'] == 1
    assert abs(found["logagg_last_commit_timestamp_seconds"] - time.time()) < 100  # of the tail before
    # An alert sees no growth from nothing to one, so all series are there before anything has happened.
    assert all(found[f'logagg_events_total{{kind="{kind}"}}'] == 0 for kind in KINDS)
    assert all(found[f'logagg_rejects_total{{reason="{reason}"}}'] == 0 for reason in REASONS)
    assert all(f'logagg_notices_total{{kind="{one.name}"}}' in found for one in NOTICES if one.name != "failure")
    tail.terminate()
    assert tail.wait(30) == 0


def test_a_cluster(site: Site) -> None:
    log, port, other = site.logagg.folder / "access.log", free_port(), free_port()
    log.write_text(LOG)
    (site.logagg.folder / "logagg.toml").write_text(WATCHED)
    site.worker("0-1/2", "--metrics", f"127.0.0.1:{port}")
    site.await_lake()
    tail = site.tail("web1", "--metrics", f"127.0.0.1:{other}", log)
    site.logagg.await_lines(41, tail)
    assert scraped(port)['logagg_jobs_taken_total{shard="1"}'] >= 1
    assert names(scraped(port)) == shown_by("worker")
    wait_until(lambda: names(scraped(other)) >= shown_by("tail --gearman"), tail)
    assert names(scraped(other)) == shown_by("tail --gearman")
    assert scraped(other)['logagg_events_total{kind="pageview"}'] == 40
    wait_until(lambda: scraped(other)['logagg_uncommitted_jobs{shard="0"}'] == 0, tail)


def test_the_port_is_taken(logagg: Command, site: Site) -> None:
    (logagg.folder / "access.log").write_text(LOG)
    taken = site.servers[0].port
    done = logagg.run("tail", "--once", "--metrics", f":{taken}", "access.log", status=1)
    assert f"metrics cannot be served at 127.0.0.1:{taken}: Address already in use" in done.stderr
