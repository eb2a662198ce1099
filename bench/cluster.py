"""Read a log once through a job server and a worker of our own, all on this machine: python -m bench.cluster LOG."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import LOGAGG

GEARMAND = shutil.which("gearmand", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Let a process run meanwhile, and end it well."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def await_file(path: Path, process: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        if process.poll() is not None:
            sys.exit(f"the worker ended with {process.returncode}")
        time.sleep(0.02)


def main(log: str, lake: str = "lake") -> int:
    assert GEARMAND, "the bench asks for it before"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    server = f"127.0.0.1:{port}"
    words = [GEARMAND, "--listen", "127.0.0.1", "--port", port, "--job-retries=3", "--round-robin", "--worker-wakeup=1"]
    shards = f"0-{(os.cpu_count() or 1) - 1}"
    with (
        running(*words, "--log-file", "gearmand.log"),
        running(*LOGAGG, "worker", "--gearman", server, "--shards", shards, "--lake", lake, "-q") as worker,
    ):
        await_file(Path(lake) / "logagg.duckdb", worker)
        tail = [*LOGAGG, "tail", "--once", "--gearman", server, "--name", "bench", "--lake", lake, log]
        return subprocess.run(tail, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
