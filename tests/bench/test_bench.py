"""The benches work: on tiny logs they print their tables. No speed is asserted."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import logagg
from bench import ask, bare, follow, make_lake, make_log, measure, paper, peers, run, stages, year
from logagg.lake.verify import verify
from logagg.parse.detect import detect
from logagg.parse.lines import reference
from logagg.records import Chunk, Fingerprint
from tests.conftest import ROOT

DAY = make_log.yesterday()


def made(kind: str, lines: int, seed: int = 1) -> bytes:
    return b"".join(make_log.blocks(kind, lines, DAY, seed=seed))


def bench(*argv: object, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a bench as a user does."""
    command = [sys.executable, "-m", *map(str, argv)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=110)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def rows(text: str, head: str) -> list[list[str]]:
    """Return the cells of the rows whose first column has this text."""
    table = re.split(rf"^\| {head} +\|", text, maxsplit=1, flags=re.MULTILINE)[1].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


# logs


@pytest.mark.parametrize("kind", make_log.KINDS)
def test_a_log_has_the_requested_lines_and_logagg_reads_them(kind: str) -> None:
    data = made(kind, 2000)
    now = DAY.timestamp() + make_log.DAY
    fmt = detect(data.splitlines()[:100], now)
    assert fmt is not None and data.count(b"\n") == 2000
    batch = reference.parse(Chunk("a", 0, 0, len(data), data, Fingerprint(len(data), 0, "")), fmt, now)
    assert batch.table.num_rows + batch.rejects.lines == 2000
    assert 40 < batch.rejects.lines < 160 if kind == "garbage" else not batch.rejects.lines
    times = batch.table["time"].to_pylist()
    assert min(times).date() == max(times).date() == DAY.date()
    assert (times == sorted(times)) == (kind != "scattered")


def test_the_same_seed_gives_the_same_log() -> None:
    assert made("mixed", 500) == made("mixed", 500) != made("mixed", 500, seed=2)


def test_a_log_of_several_blocks_is_one_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_log, "BLOCK", 64)
    data = made("tracking", 1000)
    ids = re.findall(rb"&id=(\w+)", data)
    assert data.count(b"\n") == 1000 and len(ids) == len(set(ids)) > 800


def test_each_kind_matches_its_name() -> None:
    paths = {
        kind: set(re.findall(rb'"GET (/articles/[^ ]*)', made(kind, 3000)))
        for kind in ("few-urls", "mixed", "many-urls")
    }
    assert len(paths["few-urls"]) <= 21 < len(paths["mixed"]) < len(paths["many-urls"]) > 2000
    scattered = [made("scattered", 4000)[start : start + 40_000] for start in (0, 600_000)]
    minutes = [set(re.findall(rb":(\d\d:\d\d):\d\d ", part)) for part in scattered]
    assert all(len(some) > 50 for some in minutes) and not minutes[0] & minutes[1]
    escaped = made("escaped", 100)
    assert rb"\"quoted\"" in escaped and rb"\x22" in escaped and rb"\xC3\xA9" in escaped
    assert all(json.loads(line)["request"].startswith("GET /") for line in made("json", 100).splitlines())
    assert np.mean([len(line) for line in made("long-agents", 100).splitlines()]) > 400


# lakes


@pytest.fixture(scope="module")
def made_lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, make_lake.Year]:
    lake = tmp_path_factory.mktemp("made") / "it's a lake"
    return lake, make_lake.made(lake, 20_000, 20, 2000, DAY.timestamp() + make_log.DAY)


def test_a_generated_lake_is_like_one_after_a_year_of_tailing(made_lake: tuple[Path, make_lake.Year]) -> None:
    lake, made = made_lake
    assert len(made.commits) == 20 and len(made.swaps) == len(made.merges) > 0
    assert len(made.without) == 5 and [path.name for path in lake.parent.iterdir()] == [lake.name]
    found = verify(lake)
    assert found and not found.problems and found.lines == made.events + 20 * make_lake.REJECTS
    with logagg.connect(lake) as connection:
        [(quiet,)] = connection.execute(
            "SELECT sum(\"rows\") FROM files WHERE rollup <> 'requests' AND max_ts < $busy",
            {"busy": DAY - timedelta(6)},
        ).fetchall()
        [(requests, hits_of_them, lines)] = connection.execute(
            "SELECT count(*), (SELECT sum(hits)::BIGINT FROM traffic WHERE ts >= requests_from), count(DISTINCT (source, position)) "
            "FROM requests, lake WHERE ts >= requests_from GROUP BY requests_from"
        ).fetchall()
        [(first, last, hits)] = connection.execute("SELECT min(ts), max(ts), sum(hits)::BIGINT FROM traffic").fetchall()
        levels = {level for (level,) in connection.execute("SELECT DISTINCT level FROM files").fetchall()}
        [(known, gone)] = connection.execute("SELECT count(DISTINCT source), count(gone) > 0 FROM sources").fetchall()
    assert (last - first).days == 364 and hits == made.events
    assert 12_000 < quiet < 25_000 and 1700 < requests < 2500 and requests == hits_of_them == lines
    assert levels == {"month", "day", "hour", "flush"}
    assert known <= make_lake.FORGOTTEN + 1 and gone


def test_the_lake_and_plain_duckdb_give_equal_results(tmp_path: Path, made_lake: tuple[Path, make_lake.Year]) -> None:
    asked = ask.compare(made_lake[0], tmp_path, 2)
    rollups, requests = asked["rollups"], asked["requests"]
    assert set(rollups) == set(ask.QUESTIONS) and set(requests) == set(ask.QUESTIONS_OF_REQUESTS)
    every = [*rollups.values(), *requests.values()]
    assert all(one[way]["seconds"] > one[way]["open"] > 0 for one in every for way in ("logagg", "DuckDB"))
    whole = rollups["traffic by day over the year"]
    assert whole["logagg"]["rows"] == whole["DuckDB"]["rows"] > 1000
    day, week = (requests[f"hits by device and status, {span}"]["logagg"]["rows"] for span in ("a day", "a week"))
    assert 0 < 3 * day < week


def test_differing_results_are_an_error(
    tmp_path: Path, made_lake: tuple[Path, make_lake.Year], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "QUESTIONS", {"chance": "SELECT random()"})
    with pytest.raises(SystemExit, match="chance: the answers differ"):
        ask.compare(made_lake[0], tmp_path, 1)


# peers


def test_the_bare_queries_give_equal_results(tmp_path: Path) -> None:
    log = tmp_path / "o'clock.log"
    log.write_bytes(made("mixed", 3000))
    groups, lines = bare.by_python(str(log))
    assert lines == 3000 and groups > 1000
    assert bare.by_duckdb(str(log)) == (groups, lines)
    if importlib.util.find_spec("chdb"):
        assert bare.by_chdb(str(log)) == (groups, lines)


def test_a_run_measures_the_process_that_it_runs(tmp_path: Path) -> None:
    code = "import time; data = b'x' * 300_000_000; print(len(data)); sum(range(2_000_000))"
    done = measure.run([sys.executable, "-c", code], tmp_path)
    assert done.output == "300000000\n" and done.cpu > 0 and done.seconds > 0
    assert done.peak > 300_000_000


WATCHED = """
import sys
from pathlib import Path
from bench import measure
code = "import subprocess, sys, time; data = b'x' * 100_000_000; "
code += "subprocess.run([sys.executable, '-c', sys.argv[1]]) if sys.argv[1:] else time.sleep(0.5)"
words = [sys.executable, "-c", code, code]
print(measure.run(words, Path(".")).peak, measure.run(words, Path("."), watched=True).peak)
"""


def test_measured_memory_includes_all_processes() -> None:
    """In a separate process, since the children of a large process seem large."""
    done = subprocess.run([sys.executable, "-c", WATCHED], cwd=ROOT, capture_output=True, text=True, check=True)
    alone, together = map(int, done.stdout.split())
    assert 100_000_000 < alone < 200_000_000 < together


def test_a_program_that_fails_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(measure.BenchError, match="status 3: no luck"):
        measure.run([sys.executable, "-c", "import sys; print('no luck', file=sys.stderr); sys.exit(3)"], tmp_path)


def test_a_wrong_count_of_logagg_is_an_error(tmp_path: Path) -> None:
    log = run.Log(tmp_path / "access.log", "mixed", 101)
    log.path.write_bytes(made("mixed", 100))
    with pytest.raises(measure.BenchError, match="counted 100 of 101 lines"):
        run.Trial(run.LOGAGG, log).once(tmp_path / "run")


# programs


def test_the_offered_kinds_are_those_that_can_be_generated() -> None:
    assert tuple(make_log.KINDS) == run.KINDS


@pytest.mark.soak
def test_bench_gives_its_tables(tmp_path: Path) -> None:
    options = (
        "--lines",
        1000,
        "--rounds",
        2,
        "--sizes",
        1500,
        "--kinds",
        "garbage",
        "scattered",
        "--folder",
        tmp_path,
        "--json",
        tmp_path / "out.json",
        "--before",
        _checkout(tmp_path / "earlier"),
    )
    done = bench("bench.run", *options)
    assert not done.returncode, done.stderr
    table = {row[0]: row for row in rows(done.stdout, "program")}
    missing = set(re.findall(r"Not installed, so not measured: (.+)\.", done.stdout))
    assert set(table) | missing == {peer.name for peer in peers.PEERS} | {peers.BEFORE} and not set(table) & missing
    assert {"logagg", peers.WITHOUT, peers.BEFORE, "DuckDB", "re + Counter"} <= set(table)
    assert len(re.findall(r"^- .*: (?:holds|does not hold)\.$", done.stdout, re.MULTILINE)) == 4
    assert all(row[-1] == "1,000" for row in table.values())
    assert [row[0] for row in rows(done.stdout, "lines")] == ["1,500"]
    assert [row[0] for row in rows(done.stdout, "kind of log")] == ["garbage", "scattered"]
    measured = json.loads((tmp_path / "out.json").read_text())["outcomes"]
    assert all(len(one["seconds"]) == 2 and one["peak"] > 0 for some in measured.values() for one in some)
    assert measured["kinds"][0]["rejects"] > 0
    ours, without = measured["peers"][:2]
    assert ours["left"] > ours["requests"] > 0 and without["left"] > without["requests"] == 0
    assert all(one["requests"] > 0 for one in measured["kinds"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["earlier", "out.json"]


def _checkout(folder: Path) -> Path:
    """Make what looks like a checkout with its .venv; the logagg in it is this one."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return folder


def test_a_checkout_without_logagg_is_missing(tmp_path: Path) -> None:
    assert not peers.before(tmp_path).version() and peers.before(_checkout(tmp_path / "earlier")).version()


def test_bounds_are_told_of_what_was_measured() -> None:
    def outcome(program: str, seconds: float, lines: int = 100, peak: int = 500_000_000) -> run.Outcome:
        return run.Outcome(program, "mixed", lines, 1000, lines / seconds, 1.0, peak, 90, 50, lines, 0, [seconds])

    some = [outcome("logagg", 2.0), outcome(peers.WITHOUT, 1.5), outcome(peers.BEFORE, 1.5)]
    longer = [outcome("logagg", 2.0), outcome("logagg", 4.0, lines=200, peak=700_000_000)]
    told = run.bounds({"peers": some, "sizes": longer, "kinds": []})
    assert [line.rpartition(": ")[2] for line in told] == [
        "does not hold.",
        "holds.",
        "holds.",
        "does not hold.",
        "does not hold.",
    ]
    assert told[0].startswith("With requests, logagg reads at 75.0% of its speed without (round by round: 75.0%)")
    assert not run.bounds({"peers": some[1:2], "sizes": [], "kinds": []})


def test_a_peer_that_is_not_installed_is_named(tmp_path: Path) -> None:
    options = (
        "--lines",
        100,
        "--rounds",
        1,
        "--sizes",
        "--kinds",
        "--peers",
        "GoAccess",
        "re + Counter",
        "--folder",
        tmp_path,
    )
    done = bench("bench.run", *options, PATH=str(tmp_path))
    assert not done.returncode, done.stderr
    assert [row[0] for row in rows(done.stdout, "program")] == ["re + Counter"]
    assert "Not installed, so not measured: GoAccess." in done.stdout


@pytest.mark.parametrize("kind", ["mixed", "json"])
def test_bench_stages_gives_its_table(tmp_path: Path, kind: str) -> None:
    options = ("--lines", 1000, "--rounds", 1, "--kinds", kind, "--folder", tmp_path, "--json", tmp_path / "out.json")
    done = bench("bench.stages", *options)
    assert not done.returncode, done.stderr
    names = [row[0] for row in rows(done.stdout, "stage")]
    assert names[: len(stages.STAGES) + 1] == [*stages.STAGES, "all, one after another"]
    assert ("limit: pyarrow's CSV reader" in names) == (kind == "mixed")
    seconds = json.loads((tmp_path / "out.json").read_text())[kind]
    assert all(value > 0 for value in seconds.values())


def test_bench_formats_gives_its_table(tmp_path: Path) -> None:
    done = bench("bench.formats", "--lines", 100, "--rounds", 1, "--kinds", "caddy", "w3c", "--json", tmp_path / "out")
    assert not done.returncode, done.stderr
    assert {row[0] for row in rows(done.stdout, "format")} == {"combined", "caddy", "w3c"}
    assert all(value > 0 for value in json.loads((tmp_path / "out").read_text()).values())


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_bench_follow_gives_its_tables(tmp_path: Path) -> None:
    options = (
        "--rate",
        3000,
        "--seconds",
        2,
        "--files",
        5,
        "--idle",
        1,
        "--folder",
        tmp_path,
        "--json",
        tmp_path / "out.json",
    )
    done = bench("bench.follow", *options)
    assert not done.returncode, done.stderr
    assert rows(done.stdout, "written")[0][0] == "3,000 lines/s"
    assert rows(done.stdout, "files")[0][0] == "5"
    measured = json.loads((tmp_path / "out.json").read_text())
    assert measured["fresh"]["lines"] == 30 + 6000 and measured["fresh"]["commits"] > 0
    assert 0 < measured["fresh"]["half"] <= measured["fresh"]["most"] <= measured["fresh"]["worst"]


@pytest.mark.soak
def test_bench_commits_gives_its_table(tmp_path: Path) -> None:
    done = bench("bench.commits", "--writers", 1, 3, "--seconds", 1, "--folder", tmp_path)
    assert not done.returncode, done.stderr
    assert [row[0] for row in rows(done.stdout, "writers")] == ["1", "3"]


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_bench_scale_gives_its_table(tmp_path: Path, tool: Callable[[str], str]) -> None:
    tool("gearmand")
    options = (
        "--tailers",
        3,
        "--shards",
        2,
        "--jobs",
        6,
        "--lines",
        50,
        "--seconds",
        2,
        "--flush",
        0.5,
        "--folder",
        tmp_path,
    )
    done = bench("bench.scale", *options, "--json", tmp_path / "out.json")
    assert not done.returncode, done.stderr
    assert rows(done.stdout, "tailers × shards")[0][:2] == ["3 × 2", "2"]
    [measured] = json.loads((tmp_path / "out.json").read_text())["found"]
    assert measured["sent"]["chunks"] >= 3 and measured["commits"] > 0


@pytest.mark.soak
def test_bench_lake_gives_its_tables(tmp_path: Path) -> None:
    amounts = ("--rows", 20_000, "--commits", 20, "--requests", 2000, "--rounds", 1)
    options = (*amounts, "--keep", tmp_path / "kept", "--folder", tmp_path)
    done = bench("bench.year", *options, "--json", tmp_path / "out.json")
    assert not done.returncode, done.stderr
    assert [row[0] for row in rows(done.stdout, "files by")[-2:]] == ["all of rollups", "of requests"]
    assert [row[0] for row in rows(done.stdout, "the last 5 commits")] == ["with requests", "without", "difference"]
    assert len(re.findall(r"^- .*: (holds|does not hold)\b", done.stdout, re.MULTILINE)) == 3
    assert rows(done.stdout, "what")[0][1] == "20"
    names = re.findall(r"^\| (.+?) +\|(?: +\S+ m?s \|){2}", done.stdout, re.MULTILINE)
    assert [name for name in names if name in {*ask.QUESTIONS, *ask.QUESTIONS_OF_REQUESTS}] == [
        *ask.QUESTIONS,
        *ask.QUESTIONS_OF_REQUESTS,
    ]
    assert [row[0] for row in rows(done.stdout, "retention")] == list(year.RETENTIONS)
    measured = json.loads((tmp_path / "out.json").read_text())
    coarser = [step["rows"] for step in measured["retention"].values()]
    assert measured["lake"]["rows"] > coarser[0] > coarser[1] > coarser[2] > 0
    again = bench("bench.year", *options)
    assert not again.returncode and "making" in done.stderr and "making" not in again.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "out.json"]


def test_a_write_is_visible_with_the_first_result_that_includes_all_of_it() -> None:
    written = np.array([(1.0, 10), (2.0, 20), (3.0, 30)])
    seen = np.array([(0.5, 0), (2.5, 15), (4.0, 20), (6.0, 30)])
    assert follow._delays(written, seen).tolist() == [1.5, 2.0, 3.0]


# the page


def test_figures_are_written_between_their_markers(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(
        "before\n<!-- one: begin -->\nold\n<!-- one: end -->\nafter <!-- two: begin --> <!-- two: end -->\n"
    )
    paper.write_section("one", "first", page)
    paper.write_section("one", "new", page)
    assert (
        page.read_text()
        == "before\n<!-- one: begin -->\n\nnew\n\n<!-- one: end -->\nafter <!-- two: begin --> <!-- two: end -->\n"
    )
    with pytest.raises(measure.BenchError, match="no place for these figures"):
        paper.write_section("three", "new", page)


def test_the_page_has_a_place_for_each_bench_and_names_each_kind_of_log() -> None:
    page = paper.DOCS.read_text()
    for name in ("bench", "bench-stages", "bench-formats", "bench-follow", "bench-lake"):
        assert 0 < page.find(f"<!-- {name}: begin -->") < page.find(f"<!-- {name}: end -->")
    assert all(f"\n| {kind} |" in page for kind in make_log.KINDS)
    page = paper.CLUSTER.read_text()
    for name in ("bench-commits", "bench-scale"):
        assert 0 < page.find(f"<!-- {name}: begin -->") < page.find(f"<!-- {name}: end -->")


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert paper.table(("a", "number"), [("long name", "1"), ("b", "22")]) == (
        "| a         | number |\n| --------- | -----: |\n| long name |      1 |\n| b         |     22 |"
    )
