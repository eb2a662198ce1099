"""Every command behaves alike when it is interrupted, when the reader of its pipe leaves, and when it is misconfigured."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from logagg.cli import COMMANDS
from tests.conftest import ROOT, Command, combined, wait_until

QUERY = "SELECT * FROM requests"
ANSWERS: list[Sequence[object]] = [
    ["--help"],
    ["--version"],
    ["report", "--help"],
    *(["report", "pages", "--format", form] for form in ("table", "csv", "parquet")),
    *(["sql", QUERY, "--format", form] for form in ("json", "tsv", "parquet")),
    *(["lines", "--format", form] for form in ("lines", "markdown")),
    *(["status", "--format", form] for form in ("table", "json")),
    ["report", "pages", "--output", "/dev/stdout"],
    ["check"],
    ["check", "--json", "--system"],
    ["compact"],
    ["expire"],
    ["backfill", "pages"],
    ["init"],
    ["tail", "--once", ROOT / "fixtures/demo"],
]


@pytest.mark.parametrize(
    "arguments", ANSWERS, ids=lambda arguments: " ".join(map(str, arguments)).replace(f"{ROOT}/", "")
)
def test_a_reader_that_leaves_is_no_failure(demo: Command, arguments: Sequence[object]) -> None:
    """Standard output is a pipe without a reader from the start, as after `| head -0`; so each first write fails."""
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        demo.argv(*arguments), cwd=demo.folder, env=demo.env, stdout=writes, stderr=subprocess.PIPE, timeout=100
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("arguments", "status"), [(["status", "--lake", "nowhere"], 1), (["nothing"], 2)])
def test_nobody_reads_a_failure(logagg: Command, arguments: list[str], status: int) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    argv = logagg.argv(*arguments)
    done = subprocess.run(argv, cwd=logagg.folder, env=logagg.env, stdout=writes, stderr=writes, timeout=100)
    os.close(writes)
    assert done.returncode == status


ARGUMENTS = {
    "alert": ["list"],
    "sql": ["SELECT 1"],
    "backfill": ["pages"],
    "tail": ["--once", "x.log"],
    "worker": ["--gearman", "localhost:1", "--shards", "0"],
    "init": ["--from", "FIFO"],
}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "docs"])  # which waits for nothing
def test_an_interrupted_command_ends_with_130(logagg: Command, tmp_path: Path, name: str) -> None:
    """It waits for its configuration, a pipe, when Ctrl-C comes."""
    fifo = tmp_path / "FIFO"
    os.mkfifo(fifo)
    del logagg.env["LOGAGG_LAKE"]
    config = [] if name == "init" else ["--config", fifo]
    process = subprocess.Popen(
        logagg.argv(name, *ARGUMENTS.get(name, []), *config),
        cwd=tmp_path,
        env=logagg.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # which xdist's workers ignore
    )
    held = list[int]()
    try:
        wait_until(lambda: bool(held.extend(writer(fifo)) or held), process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        for descriptor in held:
            os.close(descriptor)
    assert (process.returncode, said.strip()) == (130, "")


def writer(fifo: Path) -> Iterator[int]:
    """Yield the other end of a pipe that is being read; to close it would end the reading."""
    with suppress(OSError):
        yield os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)


def test_one_configuration_for_every_command(logagg: Command, tmp_path: Path) -> None:
    """A configuration of the user names logs and lake, which are found from any folder."""
    home = tmp_path / "config" / "logagg"
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "access.log").write_text(combined([("/a", 200)] * 3))
    (home / "logagg.toml").write_text('[lake]\npath = "data"\n[tail]\npaths = ["logs"]\n')
    del logagg.env["LOGAGG_LAKE"]
    assert "3 lines" in logagg.run("tail", "--once").stdout
    assert "hits" in logagg.run("report").stdout and (home / "data" / "logagg.duckdb").exists()
    assert f"configuration: {home}/logagg.toml" in logagg.run("check", "--system").stdout
    logagg.env["LOGAGG_TAIL_PATH"] = "x"
    said = logagg.run("status", status=1).stderr
    assert said == "logagg: environment variable LOGAGG_TAIL_PATH: no such setting; did you mean LOGAGG_TAIL_PATHS?\n"
