"""logagg and the programs it is compared with: how each is run on a log, and what it does with it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.cluster import GEARMAND
from bench.measure import LOGAGG, Run, run, size_of
from bench.paper import ROOT


@dataclass(frozen=True, slots=True)
class Peer:
    """One program; it is run in an empty folder, and what it leaves there is its result."""

    name: str
    does: str
    words: Callable[[Path], list[str]]  # of the command that reads this log
    counted: Callable[[Run, Path], int]  # lines, as the program says
    left: Callable[[Path], int] = size_of  # bytes on disk
    version: Callable[[], str] = lambda: ""  # empty where it is not installed


def _tail(log: Path) -> list[str]:
    return [*LOGAGG, "tail", "--once", "--lake", "lake", str(log)]


def _logagg_counted(_done: Run, folder: Path) -> int:
    return _ask(
        folder, "SELECT (SELECT coalesce(sum(hits), 0) FROM traffic) + (SELECT coalesce(sum(lines), 0) FROM rejects)"
    )


def _logagg_left(folder: Path) -> int:
    """Return the bytes of the newest snapshot; what compaction has replaced is deleted when its grace is over."""
    return (
        _ask(folder, "SELECT coalesce(sum(bytes), 0) FROM files") + (folder / "lake" / "logagg.duckdb").stat().st_size
    )


def rejected(folder: Path) -> int:
    """Return the lines that logagg has rejected."""
    return _ask(folder, "SELECT coalesce(sum(lines), 0) FROM rejects")


def _ask(folder: Path, query: str) -> int:
    answer = run([*LOGAGG, "sql", "--lake", "lake", "--json", query], folder).output
    return int(next(iter(json.loads(answer)[0].values())))


def _goaccess(log: Path) -> list[str]:
    words = ["goaccess", str(log), "--log-format=COMBINED", "-o", "report.json", "--no-progress", "--no-global-config"]
    return [*words, f"--jobs={os.cpu_count()}"] if "--jobs" in _said("goaccess", "--help") else words


def _goaccess_counted(_done: Run, folder: Path) -> int:
    return int(json.loads((folder / "report.json").read_bytes())["general"]["total_requests"])


def _goaccess_version() -> str:
    said = _said("goaccess", "--version").split()
    return said[2].strip(".") if len(said) > 2 else ""


def _said(*words: str) -> str:
    if not shutil.which(words[0]):
        return ""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def _bare(engine: str) -> Callable[[Path], list[str]]:
    # By its path, since it is run elsewhere.
    return lambda log: [sys.executable, str(ROOT / "bench" / "bare.py"), engine, str(log)]


def _bare_counted(done: Run, _folder: Path) -> int:
    return int(done.output.split()[1])


def _installed(package: str) -> Callable[[], str]:
    return lambda: version(package) if importlib.util.find_spec(package) else ""


PEERS = (
    Peer(
        "logagg",
        "all default rollups by minute (traffic, pages, ads, referrers, agents, errors, latency) with unique visitors, click "
        "de-duplication, robots, browsers; rejects; exact positions; committed to disk and compacted",
        _tail,
        _logagg_counted,
        _logagg_left,
        _installed("logagg"),
    ),
    Peer(
        "through gearmand",
        "the same by logagg tail, gearmand and logagg worker on this machine, from the start of gearmand to the end of the worker",
        lambda log: [sys.executable, "-m", "bench.cluster", str(log)],
        _logagg_counted,
        _logagg_left,
        lambda: version("pygearman") if GEARMAND else "",
    ),
    Peer(
        "GoAccess",
        "its own panels (requests, files, hosts, agents, referrers, status, hours) by day, with unique visitors; keeps 366 rows a "
        "panel; writes one JSON report; no minutes, no crossed dimensions, no ads, nothing to continue from",
        _goaccess,
        _goaccess_counted,
        version=_goaccess_version,
    ),
    Peer(
        "DuckDB",
        "read_csv and one GROUP BY minute, path: a count; no types, visitors or rejects; any odd quote is an error; writes nothing",
        _bare("duckdb"),
        _bare_counted,
        version=_installed("duckdb"),
    ),
    Peer(
        "chDB",
        "the same query by ClickHouse's engine in process; writes nothing",
        _bare("chdb"),
        _bare_counted,
        version=_installed("chdb"),
    ),
    Peer(
        "re + Counter",
        "the same count by a regular expression and a dictionary in plain Python; writes nothing",
        _bare("python"),
        _bare_counted,
        version=lambda: sys.version.split()[0],
    ),
)
