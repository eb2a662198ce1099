"""logagg and the programs it is compared with: how each is run on a log, and what it does with it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from bench.cluster import GEARMAND
from bench.measure import LOGAGG, Run, run, size_of
from bench.paper import ROOT

_TAIL = ("tail", "--once", "--lake", "lake")


@dataclass(frozen=True, slots=True)
class Peer:
    """One program; it is run in an empty folder, and what it leaves there is its result."""

    name: str
    does: str
    words: Callable[[Path], list[str]]  # of the command that reads this log
    counted: Callable[[Run, Path], int]  # lines, as the program says
    left: Callable[[Path], int] = size_of  # bytes on disk
    version: Callable[[], str] = lambda: ""  # empty where it is not installed
    settings: Mapping[str, str] = field(default_factory=dict)  # in its environment
    requests: Callable[[Path], int] = lambda folder: 0  # bytes on disk of single events, which are part of what is left


def _tail(log: Path) -> list[str]:
    return [*LOGAGG, *_TAIL, str(log)]


def _counted(words: Sequence[str], folder: Path) -> int:
    return _ask(
        words,
        folder,
        "SELECT (SELECT coalesce(sum(hits), 0) FROM traffic) + (SELECT coalesce(sum(lines), 0) FROM rejects)",
    )


def _left(words: Sequence[str], folder: Path) -> int:
    """Return the bytes of the newest snapshot; what compaction has replaced is deleted when its grace is over."""
    catalog = (folder / "lake" / "logagg.duckdb").stat().st_size
    return _ask(words, folder, "SELECT coalesce(sum(bytes), 0) FROM files") + catalog


def _logagg_counted(_done: Run, folder: Path) -> int:
    return _counted(LOGAGG, folder)


def _logagg_left(folder: Path) -> int:
    return _left(LOGAGG, folder)


def _logagg_requests(folder: Path) -> int:
    return _ask(LOGAGG, folder, "SELECT coalesce(sum(bytes), 0) FROM files WHERE rollup = 'requests'")


def rejected(folder: Path) -> int:
    """Return the lines that logagg has rejected."""
    return _ask(LOGAGG, folder, "SELECT coalesce(sum(lines), 0) FROM rejects")


def _ask(words: Sequence[str], folder: Path, query: str) -> int:
    answer = run([*words, "sql", "--lake", "lake", "--json", query], folder).output
    return int(next(iter(json.loads(answer)[0].values())))


NEWEST = os.environ.get("GOACCESS", "")  # the program of a newer GoAccess than the system's


def _goaccess(program: str) -> Callable[[Path], list[str]]:
    options = ["--log-format=COMBINED", "-o", "report.json", "--no-progress", "--no-global-config"]

    def words(log: Path) -> list[str]:
        threads = [f"--jobs={os.cpu_count()}"] if "--jobs" in _said(program, "--help") else []
        return [program, str(log), *options, *threads]

    return words


def _goaccess_counted(_done: Run, folder: Path) -> int:
    return int(json.loads((folder / "report.json").read_bytes())["general"]["total_requests"])


def _goaccess_version(program: str) -> Callable[[], str]:
    def version_of() -> str:
        said = _said(program, "--version").split() if program else []
        return said[2].strip(".") if len(said) > 2 else ""

    return version_of


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


def before(checkout: Path) -> Peer:
    """Return an earlier logagg: that of a checkout, whose .venv has it."""
    words = (str(checkout.absolute() / ".venv" / "bin" / "python"), "-m", "logagg")
    return Peer(
        BEFORE,
        "the logagg of an earlier checkout, with its defaults",
        lambda log: [*words, *_TAIL, str(log)],
        lambda _done, folder: _counted(words, folder),
        lambda folder: _left(words, folder),
        lambda: _said(*words, "--version").split()[-1] if Path(words[0]).exists() else "",
    )


WITHOUT, BEFORE, NO_VISITS = "without requests", "logagg before", "without visits"

PEERS = (
    Peer(
        "logagg",
        "all default rollups by minute (traffic, pages, ads, referrers, agents, errors, latency) with unique visitors, click "
        "de-duplication, robots, browsers; a row for each request; rejects; exact positions; committed to disk and compacted",
        _tail,
        _logagg_counted,
        _logagg_left,
        _installed("logagg"),
        requests=_logagg_requests,
    ),
    Peer(
        WITHOUT,
        "the same by logagg, but no row for each request (LOGAGG_REQUESTS_KEEP=0)",
        _tail,
        _logagg_counted,
        _logagg_left,
        _installed("logagg"),
        {"LOGAGG_REQUESTS_KEEP": "0"},
        _logagg_requests,
    ),
    Peer(
        NO_VISITS,
        "the same by logagg, but no visits (LOGAGG_VISITS_ENABLED=false)",
        _tail,
        _logagg_counted,
        _logagg_left,
        _installed("logagg"),
        {"LOGAGG_VISITS_ENABLED": "false"},
        _logagg_requests,
    ),
    Peer(
        "through gearmand",
        "the same by logagg tail, gearmand and logagg worker on this machine, from the start of gearmand to the end of the worker",
        lambda log: [sys.executable, "-m", "bench.cluster", str(log)],
        _logagg_counted,
        _logagg_left,
        lambda: version("pygearman") if GEARMAND else "",
        requests=_logagg_requests,
    ),
    Peer(
        "GoAccess",
        "its own panels (requests, files, hosts, agents, referrers, status, hours) by day, with unique visitors; keeps 366 rows a "
        "panel; writes one JSON report; no minutes, no crossed dimensions, no ads, nothing to continue from",
        _goaccess("goaccess"),
        _goaccess_counted,
        version=_goaccess_version("goaccess"),
    ),
    Peer(
        "newer GoAccess",
        "the same by the GoAccess that GOACCESS= names, with a thread for each core",
        _goaccess(NEWEST),
        _goaccess_counted,
        version=_goaccess_version(NEWEST),
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
