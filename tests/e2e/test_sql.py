"""`logagg sql` as a command: its formats and limits, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import Command, combined, wait_until

ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"


@pytest.fixture
def lake(logagg: Command, tmp_path: Path) -> Command:
    (tmp_path / "access.log").write_text(combined([(f"/page/{number}", 200) for number in range(100)]))
    logagg.run("tail", "--once", "-q", tmp_path / "access.log")
    return logagg


def test_all_formats_give_the_same_result(lake: Command, tmp_path: Path) -> None:
    query = "SELECT path, sum(views) AS views, min(ts) AS first FROM pages GROUP BY path ORDER BY path"
    rows = json.loads(lake.run("sql", "--json", query).stdout)
    assert len(rows) == 100 and rows[0] == {"path": "/page/0", "views": 1, "first": "2026-03-02T00:00:00Z"}
    written = list(csv.DictReader(lake.run("sql", "--format", "csv", query).stdout.splitlines()))
    assert [(row["path"], int(row["views"]), row["first"]) for row in written] == [tuple(row.values()) for row in rows]
    lake.run("sql", "--format", "parquet", "--output", tmp_path / "answer.parquet", query)
    table = pq.read_table(tmp_path / "answer.parquet")
    assert table["path"].to_pylist() == [row["path"] for row in rows]
    assert list(map(int, table["views"].to_pylist())) == [row["views"] for row in rows]
    done = subprocess.run(lake.argv("sql", "--format", "parquet", query), env=lake.env, capture_output=True, check=True)
    assert done.stdout[:4] == done.stdout[-4:] == b"PAR1"


def test_a_large_answer_streams_within_little_memory(lake: Command, tmp_path: Path) -> None:
    query = "SELECT range AS n, repeat('x', 500) AS text FROM range(150000)"
    lake.run("sql", "--memory", "64MB", "--format", "csv", "--output", tmp_path / "a.csv", query)
    lake.run("sql", "--memory", "128MB", "--format", "parquet", "--output", tmp_path / "a.parquet", query)
    with (tmp_path / "a.csv").open() as file:
        assert sum(1 for _ in file) == 150_001
    found = pq.ParquetFile(tmp_path / "a.parquet").metadata
    assert (found.num_rows, found.num_row_groups) == (150_000, 2)


def test_an_output_appears_when_it_is_complete(lake: Command, tmp_path: Path) -> None:
    output, target = tmp_path / "link.json", tmp_path / "answer.json"
    target.write_text("before")
    target.chmod(0o640)
    output.symlink_to(target)
    failed = lake.run("sql", "--json", "--output", output, "--rows", 10, "FROM range(20)", status=1)
    assert "more than 10 rows" in failed.stderr and target.read_text() == "before"
    lake.run("sql", "--json", "--output", output, "SELECT 1 AS a")
    assert json.loads(target.read_text()) == [{"a": 1}] and output.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert {path.name for path in tmp_path.glob(".*")} == set()
    assert "in the lake" in lake.run("sql", "--output", lake.lake / "secret", "SELECT 1", status=1).stderr
    assert lake.run("sql", "--output", "/dev/null", "SELECT 1").stdout == ""
    assert Path("/dev/null").is_char_device()
    assert (
        "cast that column"
        in lake.run("sql", "--format", "parquet", "--output", tmp_path / "p", "SELECT INTERVAL 1 DAY", status=1).stderr
    )


def test_an_exceeded_limit_is_reported_in_one_line(lake: Command) -> None:
    for options, query, message in (
        (["--timeout", "300ms"], ENDLESS, "longer than 0.3 s; ask for less, or give more with --timeout"),
        (["--memory", "64MB"], "SELECT length(repeat('x', 3000000000))", "more than 64 MB; ask for less"),
        (["--memory", "1MB"], "SELECT 1", "needs 64MB or more"),
        (["--rows", "3"], "FROM range(10)", "more than 3 rows; add LIMIT"),
    ):
        done = lake.run("sql", *options, query, status=1)
        assert message in done.stderr and done.stderr.count("\n") == 1
    assert "write a duration" in lake.run("sql", "--timeout", "soon", "SELECT 1", status=2).stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("query", [ENDLESS, "EXPLAIN ANALYZE " + ENDLESS])
def test_a_signal_ends_a_query_at_once(lake: Command, tmp_path: Path, number: int, status: int, query: str) -> None:
    spilled = tmp_path / "temporary"
    spilled.mkdir()
    command = subprocess.Popen(
        lake.argv("sql", query),
        env={**lake.env, "TMPDIR": str(spilled)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children")
    wait_until(lambda: bool(children.read_text().split()), command)
    child = Path("/proc", children.read_text().split()[0])
    wait_until(lambda: len(list((child / "task").iterdir())) > 1, command)  # the query computes
    command.send_signal(number)
    out, message = command.communicate(timeout=60)
    assert (command.returncode, out, message.strip()) == (status, "", "")
    assert not child.exists() and list(spilled.iterdir()) == []


def test_a_report_ends_at_once_too(lake: Command) -> None:
    """DuckDB computes in the process of the command."""
    program = f"""from logagg.query import reports
from logagg.cli import command
reports.query_of = lambda name: {ENDLESS!r} + " AND 0 < coalesce($limit::INT, 1)"
command()"""
    argv = [sys.executable, "-c", program, "report", "pages"]
    with subprocess.Popen(argv, env=lake.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        process = Path("/proc", str(command.pid))
        # The catalog is open, and the main thread has computed for a while.
        wait_until(
            lambda: any("catalog/" in str(path.readlink()) for path in (process / "fd").iterdir() if path.is_symlink()),
            command,
        )
        time.sleep(1)
        command.send_signal(signal.SIGINT)
        out, message = command.communicate(timeout=60)
        assert (command.returncode, out, message.strip()) == (130, "", "")


def test_a_reader_may_close_the_pipe(lake: Command) -> None:
    reader, writer = os.pipe()
    argv = lake.argv("sql", "--format", "csv", "FROM range(1000000)")
    with subprocess.Popen(argv, env=lake.env, stdout=writer, stderr=subprocess.PIPE) as command:
        os.close(writer)
        assert os.read(reader, 5) == b"range"
        os.close(reader)
        assert command.communicate(timeout=60)[1] == b"" and command.returncode == 0


def test_a_query_needs_no_privilege(lake: Command) -> None:
    if not (setpriv := shutil.which("setpriv")):
        pytest.skip("setpriv is not installed")
    bare = [setpriv, "--no-new-privs"] + (["--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else [])
    argv = [*bare, *lake.argv("sql", "--json", "SELECT sum(hits)::INT AS n FROM traffic")]
    done = subprocess.run(argv, env=lake.env, capture_output=True, text=True)
    assert (done.stderr, json.loads(done.stdout or "[]")) == ("", [{"n": 100}])


def test_a_lake_without_read_permission_is_reported(lake: Command) -> None:
    catalogs = lake.lake / "catalog"
    catalogs.chmod(0)
    bare = [
        shutil.which("setpriv") or pytest.skip("setpriv is not installed"),
        "--inh-caps=-all",
        "--bounding-set=-all",
    ]
    argv = [*(bare if os.geteuid() == 0 else []), *lake.argv("sql", "SELECT 1")]
    done = subprocess.run(argv, env=lake.env, capture_output=True, text=True)
    catalogs.chmod(0o700)
    assert done.returncode == 1 and "not allowed to read it; ask its owner" in done.stderr
