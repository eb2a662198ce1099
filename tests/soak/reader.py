"""Runs the same queries on a lake again and again, as one kind of reader: reader.py KIND LAKE UNTIL.

It ends when the file UNTIL appears.

Each result must be a state that existed: views of one snapshot agree with one another, and a later snapshot has no fewer lines.
Prints the number of queries and of different results as JSON; exits with 1 and the reason at the first wrong result.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

import logagg

# Every line is a hit, every hit has an agent and a referrer, and the catalog has the number of lines.
QUESTION = """
    SELECT (SELECT coalesce(sum(hits), 0) FROM traffic)::BIGINT, (SELECT coalesce(sum(hits), 0) FROM agents)::BIGINT,
        (SELECT coalesce(sum(hits), 0) FROM referrers)::BIGINT,
        (SELECT coalesce(sum(lines), 0) FROM sources)::BIGINT - (SELECT coalesce(sum(lines), 0) FROM rejects)::BIGINT"""
HELD = 1.5  # seconds that a long-lived connection is kept, well within the grace of its files

Answer = tuple[int, ...]


def fresh(lake: Path) -> Iterator[Answer]:
    """A new connection for every query, by any DuckDB client."""
    while True:
        with duckdb.connect(str(lake / "logagg.duckdb"), read_only=True) as connection:
            yield connection.execute(QUESTION).fetchone() or ()


def packaged(lake: Path) -> Iterator[Answer]:
    """The package's own plain connection."""
    while True:
        with logagg.connect(lake) as connection:
            yield connection.execute(QUESTION).fetchone() or ()


def opened(lake: Path) -> Iterator[Answer]:
    """One object, as in a notebook: every query sees the newest snapshot."""
    with logagg.open(lake) as one:
        while True:
            answer = one.sql(QUESTION)
            assert answer is not None
            yield answer.fetchall()[0]


def long_lived(lake: Path) -> Iterator[Answer]:
    """One connection for many queries: the result stays the same during merges."""
    while True:
        with duckdb.connect(str(lake / "logagg.duckdb"), read_only=True) as connection:
            first, until = connection.execute(QUESTION).fetchone() or (), time.monotonic() + HELD
            while time.monotonic() < until:
                again = connection.execute(QUESTION).fetchone()
                assert again == first, f"a snapshot changed from {first} to {again}"
                yield first


KINDS: dict[str, Callable[[Path], Iterator[Answer]]] = {
    "fresh": fresh,
    "packaged": packaged,
    "opened": opened,
    "long-lived": long_lived,
}


def main(kind: str, lake: Path, until: Path) -> None:
    before, questions, states = 0, 0, set[int]()
    for answer in KINDS[kind](lake):
        assert len(set(answer)) == 1, f"torn: {answer}"
        assert answer[0] >= before, f"an older state: from {before} to {answer[0]}"
        before, questions = answer[0], questions + 1
        states.add(before)
        if until.exists():
            break
    print(json.dumps({"questions": questions, "states": len(states)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
