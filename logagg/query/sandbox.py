"""A sandbox for untrusted SQL: used by `logagg sql`, and suitable for a web page.

    with Sandbox(Path("lake")).run("SELECT path, sum(views) FROM pages GROUP BY path") as answer:
        for row in answer.rows():
            ...

It guarantees, for any query:

- *Reading:* the newest snapshot and the files in `readable`, and nothing else: neither the lake's secret and salts nor
  other files of the lake, and no other file, not even whether it exists.
- *Writing:* only a directory of its own (0700, removed afterwards) for data that do not fit in memory. The query cannot
  change names, owners, modes or times; it cannot reach the network, run programs, or signal processes.
- *SQL:* one SELECT, or EXPLAIN of one, with functions that are listed by name.
- *End:* after `limits.seconds` of waiting by its reader, at `limits.rows`, at `limits.memory`, when the answer is closed
  or cancelled, and when the thread that started the query ends in any way.
- *Output:* JSON, or Arrow columns whose bounds were checked, or an error of one line that reveals no content of a file
  that the query may not read.

Each query runs in a process of its own (`sandbox_child`), a fresh interpreter without the memory, environment and
descriptors of this one. Before the process looks at the query, it drops its rights in the kernel: Landlock (since Linux
5.13) lists the files, seccomp the system calls (`sandbox_kernel`). Without Landlock, seccomp forbids opening files for
writing, so nothing is spilled, and only DuckDB's settings restrict reading. Without either, no query runs. DuckDB's
settings (`allowed_paths`) and the list of permitted syntax (`sandbox_sql`) are further layers.

It does not guarantee that a query leaves processor time or disk cache to other processes, nor that its duration reveals
nothing about the lake.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logagg.closing import Closing
from logagg.errors import LakeError, LimitReached, LogaggError, QueryFailed, QueryRefused
from logagg.quantities import counted
from logagg.query import sandbox_frames as frames
from logagg.query import sandbox_kernel
from logagg.query.sandbox_frames import ARROW, BATCH, DONE, HEADER, ROWS, SCHEMA
from logagg.spill import Spill

if TYPE_CHECKING:
    import pyarrow as pa

LEAST_MEMORY = 64 << 20
_BACKGROUND = 10  # the niceness of a query in the background
SPILL_TIMES = 4  # the limit on spilled bytes, as a multiple of `memory`
_TZPATH = "/usr/share/zoneinfo:/usr/lib/zoneinfo:/usr/share/lib/zoneinfo:/etc/zoneinfo"  # otherwise it is searched for, which takes 10 ms
_KEPT = ("LD_LIBRARY_PATH",)  # environment variables that are kept: some interpreters do not start without them

# `-I -S`: the user's modules are not imported, and this process sets the paths.
BOOTSTRAP = """import json, sys
asked = json.load(sys.stdin)
sys.path[:] = asked.pop("path")
from logagg.query import sandbox_child
sandbox_child.main(asked)"""


def half_of_memory() -> int:
    """Return half of the machine's memory, 2 GB at most."""
    return max(LEAST_MEMORY, min(2 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2))


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """The limits of a query; 0: no limit, except for memory."""

    seconds: float = 300.0  # of waiting for the answer
    memory: int = field(default_factory=half_of_memory)  # bytes that DuckDB counts; the process may take a quarter more
    rows: int = 1_000_000
    background: bool = False  # use one core at most, at low priority


class Sandbox:
    """Runs queries on a lake's newest snapshot; see the module for its guarantees."""

    def __init__(
        self, root: Path, *, readable: Sequence[Path] = (), limits: QueryLimits | None = None, zone: str = "UTC"
    ) -> None:
        """`zone` is the time zone of days and of times. Raises LogaggError if a path in `readable` cannot be read, or contains the lake."""
        self._root, self._zone = root, zone
        self._limits = limits or QueryLimits()
        if self._limits.memory < LEAST_MEMORY:
            raise LogaggError(
                f"memory: {counted(self._limits.memory, 'byte is', 'bytes are')} too few", "a query needs 64MB or more"
            )
        self._files: list[str] = []
        self._directories: list[str] = []
        for path in readable:
            self._permit(path)

    def _permit(self, path: Path) -> None:
        """Make a file or directory readable, by the given path and by its real path."""
        try:
            real, lake = path.resolve(strict=True), self._root.resolve()
        except (OSError, RuntimeError) as error:
            raise LogaggError(f"--read {path}: {getattr(error, 'strerror', error)}") from None
        if real == lake or lake in real.parents or real in lake.parents:
            raise LogaggError(
                f"--read {path}: the lake lies there, with its secret", "name files, or a directory beside the lake"
            )
        if not real.is_dir() and not real.is_file():
            raise LogaggError(f"--read {path}: neither a file nor a directory")
        names = self._directories if real.is_dir() else self._files
        names += dict.fromkeys((os.path.abspath(path), str(real)))

    def run(self, query: str, *, arrow: bool = False, condition: str = "") -> Answer:
        """Start a query and return its answer when its columns are known; with `arrow`, for `batches` instead of `rows`.

        `condition` is untrusted text that must be one condition; the query has `sandbox_sql.CONDITION` in its place.
        Raises QueryFailed, LimitReached, QueryRefused, LakeError.
        """
        answer = Answer(self._limits)
        try:
            form = ARROW if arrow else ROWS
            answer.start({**self._request(query, answer.spill), "condition": condition, "form": form})
        except BaseException:
            answer.close()
            raise
        return answer

    def _request(self, query: str, spill: str) -> dict[str, Any]:
        threads = 1 if self._limits.background else _processors()
        return {
            "path": _path(),
            "query": query,
            "parent": os.getpid(),
            "lake": str(self._root),
            "zone": self._zone,
            "files": self._files,
            "directories": self._directories,
            "spill": spill,
            "spill_size": SPILL_TIMES * self._limits.memory if spill else 0,
            "memory": self._limits.memory,
            # The parent's time limit stops while it writes output; this one does not.
            "processor_seconds": math.ceil(self._limits.seconds * threads) + 1 if self._limits.seconds else 0,
            "threads": threads,
        }


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _path() -> list[str]:
    """Return the child's import path: that of this process, and the directory of this package."""
    ours = str(Path(__file__).resolve().parents[2])
    return [*dict.fromkeys([*(os.path.abspath(path) for path in sys.path), ours])]


def _environment() -> dict[str, str]:
    """Return the child's environment, which inherits almost nothing."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # pyarrow's allocator would otherwise start a thread, which the kernel's guards do not cover.
    return {**kept, "LC_ALL": "C.UTF-8", "PYTHONTZPATH": _TZPATH, "JE_ARROW_MALLOC_CONF": "background_thread:false"}


class Answer(Closing):
    """The answer to a running query: the names of its columns, and its rows or record batches as they arrive.

    Close it, or use it as a context manager; that ends the query. `cancel` may be called from any thread.
    """

    columns: tuple[str, ...]
    schema: pa.Schema  # of an answer in Arrow

    def __init__(self, limits: QueryLimits) -> None:
        self._limits = limits
        self._left = limits.seconds or math.inf
        self._spill = Spill() if sandbox_kernel.can_spill() else None
        self._child: subprocess.Popen[bytes] | None = None
        self._given = 0  # rows handed out so far

    @property
    def spill(self) -> str:
        return self._spill.path if self._spill else ""

    def start(self, request: dict[str, Any]) -> None:
        """Start the child, and wait for the schema."""
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,  # so that Ctrl-C reaches this process only, which ends the child
        )
        if self._limits.background:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._child.pid, _BACKGROUND)
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._child.stdin as stdin:
            stdin.write(json.dumps(request).encode())
        kind, payload = self._frame()
        if kind != SCHEMA:
            raise self._failure(kind, payload)
        if request["form"] == ARROW:
            self.schema = frames.schema_of(payload)
        names = self.schema.names if request["form"] == ARROW else frames.listed(payload)
        self.columns = tuple(map(str, names))

    def rows(self) -> Iterator[Sequence[Any]]:
        """Yield rows of JSON values and datetimes until the answer is complete. Raises QueryFailed and LimitReached."""
        for payload in self._batches():
            rows = [frames.row_of(row, len(self.columns)) for row in frames.listed(payload)]
            yield from rows[: self._allowed(len(rows))]
            self._count(len(rows))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield record batches, likewise."""
        for payload in self._batches():
            batch = frames.batch_of(payload, self.schema)
            yield batch.slice(0, self._allowed(batch.num_rows))
            self._count(batch.num_rows)

    def _batches(self) -> Iterator[memoryview]:
        while True:
            kind, payload = self._frame()
            if kind == DONE:
                return
            if kind != BATCH:
                raise self._failure(kind, payload)
            yield payload

    def _allowed(self, rows: int) -> int:
        """Return how many of the next `rows` rows the limit permits."""
        return min(rows, self._limits.rows - self._given) if self._limits.rows else rows

    def _count(self, rows: int) -> None:
        self._given += rows
        if self._limits.rows and self._given > self._limits.rows:
            raise LimitReached(
                f"the answer has more than {counted(self._limits.rows, 'row')}",
                "add LIMIT, or allow more with --rows (0: all)",
            )

    def cancel(self) -> None:
        """End the query now; its iterator raises QueryFailed."""
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        """End the query, and remove its temporary files."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            if self._child.stdout is not None:
                self._child.stdout.close()
        if self._spill is not None:
            self._spill.remove()

    def _frame(self) -> tuple[bytes, memoryview]:
        """Return the next frame. Raises LimitReached, and QueryFailed where the child has died."""
        header = self._read(HEADER.size)
        kind, length = HEADER.unpack(header)
        self._check_length(length)
        return kind, self._read(length)

    def _check_length(self, length: int) -> None:
        if length > self._limits.memory:
            raise _too_large(self._limits)

    def _read(self, length: int) -> memoryview:
        """Read `length` bytes of the child's output; wait for them up to the query's time limit."""
        assert self._child is not None
        assert self._child.stdout is not None
        descriptor, found = self._child.stdout.fileno(), memoryview(bytearray(length))
        left = found
        while left:
            self._wait(descriptor)
            count = os.readv(descriptor, [left])
            if not count:
                raise self._died()
            left = left[count:]
        return found

    def _wait(self, descriptor: int) -> None:
        if self._left == math.inf:
            return
        began = time.monotonic()
        ready = select.poll()
        ready.register(descriptor, select.POLLIN)
        come = ready.poll(max(0.0, self._left) * 1000)
        self._left -= time.monotonic() - began
        if not come:
            raise _too_long(self._limits)

    def _died(self) -> LogaggError:
        """Return why the child ended before its answer did."""
        assert self._child is not None
        status = self._child.wait()
        if status == -signal.SIGXCPU:
            return _too_long(self._limits)
        if status in (-signal.SIGABRT, -signal.SIGSEGV):  # some libraries do this when memory is exhausted
            return _too_large(self._limits)
        if status >= 0:
            return QueryFailed(f"the query's process ended with exit status {status}", "please report it")
        return QueryFailed(
            f"the query was ended by {signal.Signals(-status).name}", "the system may be short of memory"
        )

    def _failure(self, kind: bytes, payload: memoryview) -> LogaggError:
        """Return the error that the child reports."""
        try:
            told = frames.parsed(payload)
            what, message, hint = str(told["kind"]), str(told["message"]), str(told["hint"])
        except (TypeError, KeyError):
            return frames.UNCLEAR
        if what == "memory":
            return _too_large(self._limits)
        if what == "QueryRefused":
            return QueryRefused.said(message, hint)
        if what == "internal":
            return QueryFailed(f"the query failed ({message})", "please report it")
        kinds: dict[str, type[LogaggError]] = {"LakeError": LakeError, "sql": QueryFailed}
        return kinds.get(what, LogaggError)(message, hint)


def _too_long(limits: QueryLimits) -> LimitReached:
    return LimitReached(f"the query took longer than {limits.seconds:g} s", "ask for less, or give more with --timeout")


def _too_large(limits: QueryLimits) -> LimitReached:
    return LimitReached(
        f"the query needs more than {limits.memory >> 20:,} MB", "ask for less, or give more with --memory"
    )
