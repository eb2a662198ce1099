"""A lake of the demo's logs, and what is asked of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from logagg.explore.facts import Facts
from logagg.explore.query import Ask, Rows
from logagg.query.snapshot import connect
from tests.conftest import ROOT


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
    subprocess.run(list(map(str, argv)), check=True, cwd=ROOT, timeout=100)
    return lake


@pytest.fixture
def ask(demo_lake: Path) -> Iterator[Ask]:
    with connect(demo_lake) as connection:

        def answered(sql: str) -> Rows:
            found = connection.execute(sql)
            return Rows(tuple(column[0] for column in found.description or ()), found.fetchall())

        yield answered


@pytest.fixture
def facts(ask: Ask) -> Facts:
    return Facts.of(ask)
