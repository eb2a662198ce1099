"""Laws of totals: however a log is read, the sums of every rollup are those of a plain count of its lines."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

import logagg
from logagg.clock import SystemClock
from logagg.config.sections import Config, Limits, Retention, Tail
from logagg.lake.lake import Lake
from logagg.rollup.configured import tables_of
from tests import oracle
from tests.laws import sums
from tests.laws.logs import CLIENTS, FORMATS, LOGS, Request, written
from tests.laws.pace import examples

Log = list[Request | str]


@dataclass(frozen=True)
class Way:
    """One way to read a log."""

    shards: int = 1
    flush: float = 10.0
    chunk: int = 8 << 20
    keys: int = 20_000

    def read(self, lake: Path, logs: Sequence[Path], form: str) -> None:
        config = Config(
            log_format=FORMATS[form],
            tail=Tail(chunk=self.chunk),
            limits=Limits(keys=self.keys),
            retention=Retention(None, None, None),  # keep minutes, whatever the current date
        )
        sums.read(lake, logs, config, flush=self.flush, shards=self.shards)


WAYS = st.builds(
    Way,
    shards=st.integers(1, 7),
    flush=st.sampled_from([1e-6, 0.001, 0.01, 10.0]),
    chunk=st.sampled_from([1, 100, 1000, 5000, 8 << 20]),
)
FORMS = st.sampled_from(list(FORMATS))


@examples(15)
@given(LOGS, FORMS, WAYS)
def test_any_shards_flushes_and_chunks(log: Log, form: str, way: Way) -> None:
    lines = written(log, form)
    with tempfile.TemporaryDirectory() as folder:
        path, lake = Path(folder) / "access.log", Path(folder) / "lake"
        path.write_text("".join(f"{line}\n" for line in lines))
        way.read(lake, [path], form)
        sums.assert_agrees(lake, lines)


@examples(8)
@given(LOGS, FORMS, WAYS, st.integers(1, 6))
def test_folding_the_long_tail_keeps_the_sums(log: Log, form: str, way: Way, keys: int) -> None:
    lines = written(log, form)
    with tempfile.TemporaryDirectory() as folder:
        path, lake = Path(folder) / "access.log", Path(folder) / "lake"
        path.write_text("".join(f"{line}\n" for line in lines))
        Way(way.shards, way.flush, way.chunk, keys).read(lake, [path], form)
        sums.assert_agrees(lake, lines, folded=True)


@pytest.mark.parametrize("size", [2**50, 2**50 - 1])
@pytest.mark.thorough
def test_no_sum_saturates(tmp_path: Path, size: int) -> None:
    """Sums beyond 64 bits: within one minute, across runs, after merging everything, and after retention to hours and days."""
    path, root, lines = tmp_path / "access.log", tmp_path / "lake", list[str]()
    for run in range(2):
        made = [
            Request(n % 60 + 60 * (n % 3), CLIENTS[n % 4], "curl/8.5.0", "/a", size=size, took="604799.999999999")
            for n in range(9_000)
        ]
        lines += [one.line("timed") for one in made]
        path.write_text("".join(f"{line}\n" for line in lines))
        Way(shards=run + 1, chunk=100_000).read(root, [path], "timed")
        sums.assert_agrees(root, lines)
    assert size * len(lines) > 2**63
    for retention in (Retention(None, None, None), Retention(86_400, None, None), Retention(86_400, 2 * 86_400, None)):
        lake = Lake.open(root, tables_of(Config()), clock=SystemClock(), config=Config(retention=retention))
        while lake.compact_all() + lake.expire():
            pass
        lake.close()
        assert_whole(root, lines)


def assert_whole(root: Path, lines: Sequence[str]) -> None:
    """The sums of all rollups, at any grain, are those of the lines, and so are those of reports."""
    count, _ = sums.expected(lines)
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        for rollup, (_, *names) in oracle.KEYS.items():
            assert sums.differences(sums.of_lake(connection, rollup, names), count.by(rollup, *names)) == {}, rollup
        [total] = connection.execute("SELECT sum(bytes) FROM traffic").fetchall()
    lake = logagg.open(root)
    for report in ("overview", "pages"):
        assert lake.report(report, limit=0)["bytes"].sum() == total[0]


@dataclass(frozen=True)
class Piece:
    """A piece of a log: its lines, the rotation before them, and how the log is read after them."""

    log: Log
    rotate: str  # "", "rename" or "gzip"
    way: Way | None


PIECES = st.lists(
    st.builds(Piece, LOGS, st.sampled_from(["", "", "rename", "gzip"]), st.none() | WAYS), min_size=2, max_size=4
)


@examples(10)
@given(PIECES, FORMS)
def test_in_pieces_through_rotations_and_runs_of_other_ways(pieces: list[Piece], form: str) -> None:
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path, lake = Path(folder) / "logs/access.log", Path(folder) / "lake"
        path.parent.mkdir()
        for number, piece in enumerate(pieces):
            if piece.rotate and path.exists():
                rotate(path, packed=piece.rotate == "gzip")
            more = written(piece.log, form, f"piece-{number}")
            lines += more
            with path.open("a") as log:
                log.writelines(f"{line}\n" for line in more)
            if piece.way:
                piece.way.read(lake, [path.parent], form)
        Way().read(lake, [path.parent], form)
        sums.assert_agrees(lake, lines)


def rotate(path: Path, *, packed: bool) -> None:
    """Increment the numbers of a log's generations, as logrotate does."""
    for number in range(8, 0, -1):
        for end in ("", ".gz"):
            old = path.with_name(f"{path.name}.{number}{end}")
            if old.exists():
                old.rename(path.with_name(f"{path.name}.{number + 1}{end}"))
    first = path.with_name(f"{path.name}.1")
    path.rename(first)
    if packed:
        with gzip.open(f"{first}.gz", "wb") as file:
            file.write(first.read_bytes())
        first.unlink()
