"""`make bench-lake`: the lake of a year of minutes: what a commit takes at its end, what questions take beside plain DuckDB
on one sorted file, what requests add to both, and what retention takes that makes it coarser."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench import paper
from bench.measure import LOGAGG, BenchError, Run, failing_in_a_line, run, workplace
from bench.paper import ROOT, megabytes, percent, table

LINE = 231  # bytes; as in make_lake, which would make us large if we imported it
SOME = 200  # commits, the first and the last, that are looked at

# What retention is told, one after the other: it is done when the lake is as coarse as told.
RETENTIONS = {
    "minutes to hours after 90 days": {"minute": "90d"},
    "and hours to days after 180": {"minute": "90d", "hour": "180d"},
    "and days dropped after 270": {"minute": "90d", "hour": "180d", "day": "270d"},
}

# Bounds of requests: seconds of a commit more, seconds of a question about a day, and times those of plain DuckDB.
COMMIT, DAY, RATIO = 0.020, 0.5, 2.0

_LAKE = """
    WITH levels AS (
        SELECT level, count(*) AS files, sum("rows")::BIGINT AS rows, sum(bytes)::BIGINT AS bytes, min(min_ts) AS first, max(max_ts) AS last
        FROM files WHERE rollup <> 'requests' GROUP BY level),
    of_requests AS (
        SELECT count(*) AS files, coalesce(sum("rows"), 0)::BIGINT AS rows, coalesce(sum(bytes), 0)::BIGINT AS bytes
        FROM files WHERE rollup = 'requests')
    SELECT sum(files)::BIGINT AS files, sum(rows)::BIGINT AS rows, sum(bytes)::BIGINT AS bytes, min(first) AS first, max(last) AS last,
        list({level: level, files: files, rows: rows, bytes: bytes} ORDER BY first) AS levels,
        (SELECT of_requests FROM of_requests) AS requests,
        (SELECT sum(hits)::BIGINT FROM traffic) AS hits, (SELECT sum(lines)::BIGINT FROM sources) AS lines
    FROM levels"""


def made(home: Path, rows: int, commits: int, requests: int) -> dict[str, Any]:
    """Make the lake, unless it is there; return what that took."""
    notes = home / "made.json"
    if not notes.exists() or "without" not in json.loads(
        notes.read_text()
    ):  # that of an earlier version has no requests
        _say(f"making a lake of {rows:,} rows in {commits:,} commits, and {requests:,} requests")
        shutil.rmtree(home / "lake", ignore_errors=True)
        amounts = map(str, (rows, commits, requests))
        done = run([sys.executable, "-m", "bench.make_lake", str(home / "lake"), *amounts], ROOT)
        took = json.loads(done.output) | {"seconds": done.seconds, "cpu": done.cpu, "peak": done.peak}
        notes.write_text(json.dumps(took))
    return json.loads(notes.read_text())


def look(lake: Path) -> dict[str, Any]:
    """Return what there is in a lake."""
    [found] = json.loads(run([*LOGAGG, "sql", "--lake", str(lake), "--format", "json", _LAKE], ROOT).output)
    return {**found, "catalog": (lake / "logagg.duckdb").stat().st_size}


def questions(lake: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Ask the lake and plain DuckDB in turn."""
    _say("asking")
    copies = folder / "copies"
    copies.mkdir()
    done = run([sys.executable, "-m", "bench.ask", str(lake), str(copies), str(rounds)], ROOT)
    shutil.rmtree(copies)
    return json.loads(done.output)


def retention(lake: Path, folder: Path) -> dict[str, Any]:
    """Have a copy of the lake made coarser, step by step."""
    copy, config = folder / "coarser", folder / "logagg.toml"
    shutil.copytree(lake, copy, symlinks=True, copy_function=os.link)
    run([*LOGAGG, "compact", "--lake", str(copy)], ROOT)  # settles it where it is now
    steps, before = {}, look(copy)
    for name, keep in RETENTIONS.items():
        _say(f"retention: {name}")
        config.write_text("[retention]\n" + "".join(f'{grain} = "{time}"\n' for grain, time in keep.items()))
        done = run([*LOGAGG, "expire", "--lake", str(copy), "--config", str(config)], ROOT)
        after = look(copy)
        steps[name] = _step(done, before, after, drops="day" in keep)
        before = after
    return steps


def _step(done: Run, before: Mapping[str, Any], after: Mapping[str, Any], drops: bool) -> dict[str, Any]:
    if not drops and before["hits"] != after["hits"]:
        raise BenchError(f"retention left {after['hits']:,} of {before['hits']:,} hits")
    sizes = {
        "rows": after["rows"],
        "bytes": after["bytes"],
        "rows_before": before["rows"],
        "bytes_before": before["bytes"],
    }
    return {"seconds": done.seconds, "peak": done.peak, **sizes}


# on paper


def commits_table(took: Mapping[str, Any]) -> str:
    head = ("what", "how many", "median", "p99", "worst")
    rows = {
        f"commits, the first {SOME}": took["commits"][:SOME],
        f"commits, the last {SOME}": took["commits"][-SOME:],
        "merges, beside commits": took["merges"],
        f"commits of merged files, the last {SOME}": took["swaps"][-SOME:],
    }
    return table(head, [(name, f"{len(some):,}", *map(_milliseconds, _spread(some))) for name, some in rows.items()])


def compared_table(took: Mapping[str, Any]) -> str:
    """Return what the last commits took with requests and without, which were made in turn."""
    without = took["without"]
    rows = {"with requests": _spread(took["commits"][-len(without) :]), "without": _spread(without)}
    rows["difference"] = tuple(ours - other for ours, other in zip(*rows.values(), strict=True))
    head = (f"the last {len(without):,} commits", "median", "p99", "worst")
    return table(head, [(name, *map(_milliseconds, some)) for name, some in rows.items()])


def _dearer(took: Mapping[str, Any]) -> float:
    """Return the seconds by which the median of the last commits is longer with requests."""
    without = took["without"]
    return median(took["commits"][-len(without) :]) - median(without)


def bounds(measured: Mapping[str, Any]) -> list[str]:
    """Say of each bound of requests whether it holds, in a line."""
    took, asked = measured["made"], measured["questions"]["requests"]
    worst = max(asked, key=lambda name: _ratio(asked[name]))
    slowest = max((name for name in asked if name.endswith("a day")), key=lambda name: asked[name]["logagg"]["seconds"])
    day, dearer = asked[slowest]["logagg"]["seconds"], _dearer(took)
    return [
        f"A commit takes {_milliseconds(dearer)} longer with requests, less than {COMMIT * 1e3:.0f} ms: "
        f"{paper.holds(dearer < COMMIT)}.",
        f"Each question takes at most {RATIO} times as long as by plain DuckDB: {paper.holds(_ratio(asked[worst]) <= RATIO)} "
        f"({_ratio(asked[worst]):.2f}: {worst}).",
        f"Each question about a day takes less than {DAY} s: {paper.holds(day < DAY)} ({_milliseconds(day)}: {slowest}).",
    ]


def _ratio(asked: Mapping[str, Any]) -> float:
    return float(asked["logagg"]["seconds"] / asked["DuckDB"]["seconds"])


def _spread(seconds: Sequence[float]) -> tuple[float, float, float]:
    return median(seconds), quantiles(seconds, n=100, method="inclusive")[-1], max(seconds)


def levels_table(lake: Mapping[str, Any]) -> str:
    rows = [(one["level"], f"{one['files']:,}", f"{one['rows']:,}", megabytes(one["bytes"])) for one in lake["levels"]]
    rows += [
        (name, f"{one['files']:,}", f"{one['rows']:,}", megabytes(one["bytes"]))
        for name, one in {"all of rollups": lake, "of requests": lake["requests"]}.items()
    ]
    return table(("files by", "files", "rows", "bytes"), rows)


def questions_table(asked: Mapping[str, Any]) -> str:
    head = ("question", "logagg", "DuckDB", "ratio", "rows scanned", "by DuckDB", "row groups", "by DuckDB")
    return table(head, [_question(name, one["logagg"], one["DuckDB"]) for name, one in asked.items()])


def _question(name: str, ours: Mapping[str, float], plain: Mapping[str, float]) -> tuple[str, ...]:
    ratio = f"{_ratio({'logagg': ours, 'DuckDB': plain}):.2f}"
    times = _milliseconds(ours["seconds"]), _milliseconds(plain["seconds"]), ratio
    return (name, *times, *(f"{one[what]:,}" for what in ("rows", "groups") for one in (ours, plain)))


def retention_table(steps: Mapping[str, Any]) -> str:
    head = ("retention", "took", "peak memory", "rows", "before", "bytes", "before")
    rows = [
        (
            name,
            f"{one['seconds']:.1f} s",
            megabytes(one["peak"]),
            *(f"{one['rows']:,}", f"{one['rows_before']:,}", megabytes(one["bytes"]), megabytes(one["bytes_before"])),
        )
        for name, one in steps.items()
    ]
    return table(head, rows)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.0f} ms" if abs(seconds) >= 0.1 else f"{seconds * 1e3:.1f} ms"


def report(measured: Mapping[str, Any], rounds: int) -> str:
    """Return what was measured, as Markdown."""
    took, lake, asked = measured["made"], measured["lake"], measured["questions"]
    opened = median(one["logagg"]["open"] for one in asked["rollups"].values())
    return "\n\n".join(
        [
            _whole(took, lake),
            levels_table(lake),
            commits_table(took),
            "The last commits, in turn into the lake and into a copy that keeps no requests:",
            compared_table(took),
            f"Questions, medians of {rounds} rounds; opening a connection is in them, and takes logagg {_milliseconds(opened)}:",
            questions_table(asked["rollups"]),
            "Questions about requests, of the last week and of the last day:",
            questions_table(asked["requests"]),
            "\n".join(f"- {line}" for line in bounds(measured)),
            retention_table(measured["retention"]),
        ]
    )


def _whole(took: Mapping[str, Any], lake: Mapping[str, Any]) -> str:
    requests = lake["requests"]
    return (
        f"{paper.when_and_where()}. {took['events']:,} events in {len(took['commits']):,} commits, merged as they came by "
        f"{len(took['merges']):,} merges, are {lake['rows']:,} rows from {lake['first'][:16]} to {lake['last'][:16]}: "
        f"{percent((lake['bytes'] + lake['catalog']) / (LINE * lake['lines']))} of a log of {megabytes(LINE * lake['lines'])}. "
        f"The {requests['rows']:,} requests of the last week are {percent(requests['bytes'] / (LINE * requests['rows']))} of "
        f"their log. The catalog has {megabytes(lake['catalog'])}. Making all that took {took['seconds']:,.0f} s and at most "
        f"{megabytes(took['peak'])} of memory."
    )


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with workplace(options.folder) as folder:
        home = options.keep or folder
        home.mkdir(parents=True, exist_ok=True)
        took, lake = made(home, options.rows, options.commits, options.requests), home / "lake"
        return {
            "made": took,
            "lake": look(lake),
            "questions": questions(lake.resolve(), folder, options.rounds),
            "retention": retention(lake, folder),
        }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.year", description="Measure the lake of a year.")
    parser.add_argument("--rows", type=int, default=50_000_000, help="of all rollups without the last week, about")
    parser.add_argument("--requests", type=int, default=10_000_000, help="of the last week, about")
    parser.add_argument("--commits", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=7, help="of questions")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the lake there; one that is there is not made again"
    )
    paper.add_options(parser)
    return parser.parse_args()


def main() -> None:
    options = _options()
    with failing_in_a_line():
        measured = measure(options)
        paper.publish(options, "bench-lake", report(measured, options.rounds), measured)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
