"""An older DuckDB can read the lake too: its command line, from the 1.x series."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from logagg.rollup.definitions import DEFAULTS
from tests.conftest import Command

DUCKDB = Path(sys.executable).with_name("duckdb")
QUERIES = (
    "SELECT total(hits) AS answer FROM traffic",
    "SELECT uniques(visitors) AS answer FROM traffic WHERE NOT is_bot",
    "SELECT ctr(sum(impressions), sum(clicks)) AS answer FROM ads",
    "SELECT max(share) AS answer FROM (SELECT share(hits) AS share FROM traffic GROUP BY kind)",
    "SELECT latency_p(0.95, bucket, hits) AS answer FROM latency GROUP BY path ORDER BY path",
    "SELECT latency_quantile(0.95) AS answer",
    "SELECT count(*) AS answer FROM latency_quantile(0.95)",
    "SELECT sum(lines)::BIGINT AS answer FROM sources",
    "SELECT line AS answer FROM reject_samples",
    *(f"SELECT count(*) AS answer FROM {rollup.name}" for rollup in DEFAULTS),
)


def test_an_older_client_gives_the_same_results(demo: Command) -> None:
    assert subprocess.run([DUCKDB, "--version"], capture_output=True, text=True, check=True).stdout.startswith("v1.")
    link = str(demo.lake / "logagg.duckdb")
    for query in QUERIES:
        done = subprocess.run([DUCKDB, "-readonly", "-json", link, query], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert [(row["answer"],) for row in json.loads(done.stdout)] == demo.read(query), query
