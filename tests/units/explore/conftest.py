"""Lakes to explore: that of the demo logs, and one of hostile requests with a rollup of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from logagg.explore.facts import Facts
from logagg.explore.query import Ask, asking
from logagg.query.snapshot import connect
from tests.conftest import ROOT, Command

HOSTILE = "</script><!--\u2028\u2029<script>alert(1)</script>'"
CONFIG = """
[[rollup]]
name = "odd"
dimensions = ["path", "status"]
measures = {hits = "count", mean = "sum(seconds)", people = "uniques(visitor)", bytes = "sum(bytes)"}
"""
ENDLESS = "SELECT max(hash(a.range, b.range)) FROM range(1000000) AS a, range(1000000) AS b"
HUGE, LINES = 1 << 50, 8200  # bytes of a response, as many as a line may say; so many lines exceed 64 bits


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the lake that `make demo` makes; its logs are of the first days of March 2026."""
    lake = tmp_path_factory.mktemp("demo") / "lake"
    demo = ROOT / "fixtures/demo"
    argv = [
        sys.executable,
        "-m",
        "logagg",
        "tail",
        "--once",
        "-q",
        "--lake",
        lake,
        "--config",
        demo / "logagg.toml",
        demo,
    ]
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOGAGG_")}
    subprocess.run(list(map(str, argv)), check=True, cwd=ROOT, env=env, timeout=100)
    return lake


@pytest.fixture(scope="session")
def hostile_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "own.toml").write_text(CONFIG)
    line = '192.0.2.7 - - [02/Mar/2026:10:00:00 +0000] "GET {} HTTP/1.1" 200 {} "-" "Mozilla/5.0"\n'
    (folder / "access.log").write_text(line.format(f"/{HOSTILE}", HUGE) * LINES)
    logagg = Command(folder / "lake", folder)
    logagg.run("tail", "--once", "--quiet", "--config", folder / "own.toml", folder / "access.log")
    return folder / "lake"


def ask_of(root: Path) -> Iterator[Ask]:
    with connect(root) as connection:
        yield asking(connection)


@pytest.fixture
def ask(demo_lake: Path) -> Iterator[Ask]:
    yield from ask_of(demo_lake)


@pytest.fixture
def ask_hostile(hostile_root: Path) -> Iterator[Ask]:
    yield from ask_of(hostile_root)


@pytest.fixture
def facts(ask: Ask) -> Facts:
    return Facts.of(ask)
