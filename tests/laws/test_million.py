"""A million lines: hits and rejects add up to the lines, and the sums by site, kind, status and path are those of a plain count."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests import oracle
from tests.conftest import Command

LINES = 1_000_000
BATCH = 2_000  # lines of one minute
SITES = ("www.example.com", "shop.example.com", "api.example.net")
STATUSES = (200, 200, 200, 302, 304, 404, 500)
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "curl/8.5.0")
NO_LINES = ("garbage", 'x - - [{time}] "GET / HTTP/1.1" 200', '192.0.2.1 - - [no time] "GET / HTTP/1.1" 200 5 "-" "-"')


def templates() -> list[str]:
    """Return lines without their time: requests of many kinds, and some garbage."""
    targets = [f"/page/{n}" for n in range(300)] + [f"/static/{n}.css?v=3" for n in range(50)]
    targets += [f"/{kind}?campaign=c{n % 5}&ad={n}" for kind in ("imp", "click", "conv") for n in range(40)]
    made = [
        f'{SITES[n % 3]}:443 192.0.2.{n % 200} - - [{{time}}] "GET {target} HTTP/1.1" {STATUSES[n % 7]} {n} "-" "{AGENTS[n % 5 == 0]}"'
        for n, target in enumerate(targets * 3)
    ]
    return [*made, *NO_LINES]


def write(path: Path, lines: list[str]) -> np.ndarray:
    """Write a million of the lines in random order; return how often each was written."""
    chance = np.random.default_rng(5)
    drawn = np.minimum(chance.zipf(1.2, LINES) - 1, chance.integers(0, len(lines), LINES))
    with path.open("w") as file:
        for batch, start in enumerate(range(0, LINES, BATCH)):
            time = f"20/Nov/2026:{batch // 60 % 24:02d}:{batch % 60:02d}:07 +0000"
            ready = [line.replace("{time}", time) + "\n" for line in lines]
            file.writelines([ready[code] for code in drawn[start : start + BATCH].tolist()])
    return np.bincount(drawn, minlength=len(lines))


@pytest.mark.e2e
@pytest.mark.slow
def test_a_million_lines(logagg: Command) -> None:
    lines, log = templates(), logagg.folder / "access.log"
    numbers = write(log, lines)
    logagg.run("tail", "--once", "-q", "--log-format", "vhost-combined", log)

    traffic, paths, rejects = Counter[object](), Counter[object](), 0
    for line, number in zip(lines, numbers.tolist(), strict=True):
        hit = oracle.read(line.replace("{time}", "20/Nov/2026:00:00:07 +0000"))
        if hit is None:
            rejects += number
        elif number:
            traffic[hit.host, hit.kind, hit.status] += number
            paths[hit.host, hit.path] += number if hit.kind == "pageview" else 0
    assert rejects > 0
    found = logagg.read("SELECT site, kind, status, sum(hits)::BIGINT FROM traffic GROUP BY ALL")
    assert {row[:3]: row[3] for row in found} == traffic
    found = logagg.read("SELECT site, path, sum(views)::BIGINT FROM pages GROUP BY ALL HAVING sum(views) > 0")
    assert {row[:2]: row[2] for row in found} == +paths
    assert logagg.read("SELECT sum(lines)::BIGINT FROM rejects") == [(rejects,)]
    assert logagg.lines() == LINES
