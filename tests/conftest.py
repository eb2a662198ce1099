"""Fixtures and helpers of all tests: the installed command, a lake to write, tools that may be missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import settings

from bench import processes

# No deadline: machines are shared, so the time of an example means nothing.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).parent.parent
LOGAGG = Path(sys.executable).with_name("logagg")
POWERLESS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]  # root without its power over permissions


# Markers by folder, for `-m unit` and `-m "not e2e"`.
MARKERS = {
    "units": "unit",
    "test_imports.py": "unit",
    "accidents": "e2e",
    "bench": "e2e",
    "cluster": "e2e",
    "packages": "e2e",
    "web": "e2e",
    "e2e": "e2e",
    "soak": "e2e",
}

SLOW_VARIANTS = {"accidents", "cluster", "contracts", "e2e", "laws"}
# Files with tests that take half a minute: these start first, so that no worker begins one when the others are done.
LONG = (
    "packages/test_fresh_environment.py",
    "test_docs.py",
    "test_notebook.py",
    "e2e/test_memory.py",
    "e2e/test_alertmanager.py",
    "soak/test_kills.py",
)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test by its folder."""
    if marker := MARKERS.get(item.path.relative_to(ROOT / "tests").parts[0]):
        item.add_marker(marker)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--variants",
        choices=("all", "few"),
        default="all",
        help="few: of each test that runs processes or a law, the first variant and the last; of an accident one of the two",
    )


@pytest.hookimpl(trylast=True)  # after `-m` has left out others
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave variants out, if few are asked for; begin with the longest tests."""
    items.sort(key=lambda item: str(item.path.relative_to(ROOT / "tests")) not in LONG)
    if config.getoption("--variants") == "all":
        return
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        of = item.nodeid.partition("[")[0] if _has_slow_variants(item) else item.nodeid
        groups.setdefault(of, []).append(item)
    chosen = {id(one) for name, variants in groups.items() for one in _few(name, variants)}
    config.hook.pytest_deselected(items=[one for one in items if id(one) not in chosen])
    items[:] = [one for one in items if id(one) in chosen]


def _few(name: str, variants: list[pytest.Item]) -> list[pytest.Item]:
    """Return the first and the last variant of a test; of an accident, which has stopped and running tails, one of these."""
    few = [variants[0], variants[-1]]
    return [few[zlib.crc32(name.encode()) % 2]] if name.startswith("tests/accidents/") else few


def _has_slow_variants(item: pytest.Item) -> bool:
    return item.path.relative_to(ROOT / "tests").parts[0] in SLOW_VARIANTS


class Command:
    """The installed `logagg`, run as a process against one lake."""

    def __init__(self, lake: Path, folder: Path) -> None:
        self.lake, self.folder = lake, folder
        self._answers: dict[str, tuple[str, list[tuple[Any, ...]]]] = {}  # by query: the snapshot asked, and its rows
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("LOGAGG_")}
        self.env |= {"LOGAGG_LAKE": str(lake), "COLUMNS": "120", "NO_COLOR": "1", "TZ": "UTC"}
        self.env |= {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_CONFIG_DIRS": str(folder / "xdg")}

    def argv(self, *arguments: object) -> list[str]:
        """Return the command line; that of the module if the package is on the path but not installed."""
        program = [str(LOGAGG)] if LOGAGG.exists() else [sys.executable, "-c", "from logagg.cli import main; main()"]
        return [*program, *map(str, arguments)]

    def run(self, *arguments: object, status: int | None = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.argv(*arguments),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=100,
            **options,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert status is None or done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *arguments: object, under: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start it, optionally under a program that starts others, such as prlimit or setpriv."""
        argv = [*under, *self.argv(*arguments)]
        log = (self.folder / "tail.log").open("a")
        with log:
            return subprocess.Popen(argv, cwd=self.folder, env=self.env, stdout=log, stderr=log, text=True)

    def sql(self, query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.run("sql", "--json", query).stdout)
        return rows

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Query as any DuckDB client may: the newest catalog, read-only, without the package."""
        with duckdb.connect(str(self.lake / "logagg.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def read_once(self, query: str) -> list[tuple[Any, ...]]:
        """Query as `read` does, but each snapshot only once: what waits for a commit asks twenty times a second."""
        link = self.lake / "logagg.duckdb"
        target = os.readlink(link) if link.is_symlink() else ""
        if not target or self._answers.get(query, ("", []))[0] != target:
            self._answers[query] = target, self.read(query)
        return self._answers[query][1]

    def lines(self) -> int:
        """Return the lines read, according to the lake: each is a hit or a reject."""
        total = "SELECT (SELECT coalesce(sum(hits), 0) FROM traffic) + (SELECT coalesce(sum(lines), 0) FROM rejects)"
        return int(self.read_once(total)[0][0])

    def await_lines(self, lines: int, tail: subprocess.Popen[str]) -> None:
        """Wait until a running tail has committed `lines` lines."""
        wait_until(lambda: (self.lake / "logagg.duckdb").exists() and self.lines() == lines, tail)

    def await_more(self, commits: int, tail: subprocess.Popen[str]) -> None:
        """Wait until `commits` further commits have been made."""
        newest = "SELECT max(id) FROM commits"
        before = self.read_once(newest)[0][0]
        wait_until(lambda: self.read_once(newest)[0][0] >= before + commits, tail)


@pytest.fixture
def logagg(tmp_path: Path) -> Command:
    return Command(tmp_path / "lake", tmp_path)


@pytest.fixture
def demo(logagg: Command) -> Command:
    """The installed command, with a lake of the demo logs."""
    folder = ROOT / "fixtures/demo"
    logagg.run("tail", "--once", "--quiet", "--config", folder / "logagg.toml", folder)
    return logagg


@pytest.fixture
def tool() -> Callable[[str], str]:
    """Find a command of the system; without it the test is skipped, but fails if CI=1."""

    def find(name: str) -> str:
        path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if path is None and os.environ.get("CI") == "1":
            pytest.fail(f"{name} is not installed")
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """Mount a file system at a directory until the test ends; if that is not permitted, the test is skipped."""
    mounted: list[Path] = []

    def do(*argv: object, at: Path) -> None:
        at.mkdir(exist_ok=True)
        done = subprocess.run(["mount", *map(str, argv), str(at)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount: {done.stderr.strip()}")
        mounted.append(at)

    yield do
    for at in reversed(mounted):
        subprocess.run(["umount", "-q", "-l", at], check=False)  # the test may have unmounted it already


@contextmanager
def put_back(folder: Path, saved: Path) -> Iterator[None]:
    """Save a folder elsewhere, let the block damage it, and restore it."""
    shutil.copytree(folder, saved, symlinks=True)
    yield
    shutil.rmtree(folder)
    shutil.move(saved, folder)


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str] | None = None, seconds: float = 60) -> None:
    """Wait until a condition holds, which another process brings about. The limit is generous, since only the condition matters."""
    end = time.monotonic() + seconds
    while not holds():
        assert process is None or process.poll() is None, f"the process ended with {process.returncode}"
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.05)


def combined(
    requests: Sequence[tuple[str, int]], client: str = "192.0.2.1", agent: str = "Mozilla/5.0 (X11; Linux x86_64)"
) -> str:
    """Return combined lines of (target, status), a minute apart."""
    return "".join(
        f'{client} - - [02/Mar/2026:{n // 60 % 24:02d}:{n % 60:02d}:00 +0000] "GET {target} HTTP/1.1" {status} 10 "-" "{agent}"\n'
        for n, (target, status) in enumerate(requests)
    )


pytest_plugins = ["tests.nginx", "tests.apache", "tests.gearmand", "tests.clocks"]


def peak(process: subprocess.Popen[str]) -> int:
    """Wait for a process to end with status 0; return the most bytes that it and its children had in memory."""
    most = 0
    while process.poll() is None:
        most = max(most, resident(process))
        time.sleep(0.02)
    assert process.returncode == 0
    return most


def resident(process: subprocess.Popen[str]) -> int:
    """Return the bytes that a running process and its children have in memory, with shared memory counted once."""
    return processes.memory(process.pid)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [one for one in processes.family(pid) if one != pid]
