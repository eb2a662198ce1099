"""An intact lake passes, and each kind of problem is found, with a remedy."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logagg import lake_format
from logagg.clock import SystemClock
from logagg.config.load import load
from logagg.config.sections import Config, Retention
from logagg.lake import catalog
from logagg.lake.lake import Lake
from logagg.lake.state import State
from logagg.lake.verify import Verification, verify
from logagg.lake_format import LINK
from logagg.rollup.configured import tables_of
from logagg.rollup.definitions import DEFAULTS
from logagg.tail.local import tail
from logagg.tail.options import TailOptions
from tests.conftest import ROOT, put_back

DEMO = ROOT / "fixtures" / "demo"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of the demo logs: several days, every kind of event, rejects."""
    lake = tmp_path_factory.mktemp("made") / "lake"
    tail(TailOptions([str(DEMO)], lake, load(DEMO / "logagg.toml"), once=True, shards=2, verbosity=-1))
    return lake


@pytest.fixture
def lake(made: Path, tmp_path: Path) -> Iterator[Path]:
    """The lake at its own path, which its catalog names, to be damaged; it is restored afterwards."""
    with put_back(made, tmp_path / "saved"):
        yield made


def verification(lake: Path) -> Verification:
    found = verify(lake)
    assert found
    return found


def problem(lake: Path) -> str:
    (found,) = verification(lake).problems
    return str(found)


def state_of(lake: Path) -> State:
    newest = catalog.newest(lake)
    assert newest
    return catalog.read(newest)


def publish(lake: Path, state: State) -> None:
    """Make a state the newest one, which no commit would make."""
    catalog.write(lake / "catalog" / "999999-0.duckdb", state)
    (lake / LINK).unlink()
    (lake / LINK).symlink_to("catalog/999999-0.duckdb")


def contents(folder: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.slow
def test_an_intact_lake_is_not_changed(lake: Path) -> None:
    before = contents(lake)
    found = verification(lake)
    assert contents(lake) == before
    state = state_of(lake)
    assert found == Verification(
        state.id,
        len(state.parts),
        sum(path.stat().st_size for path in lake.glob("data/*/*")),
        sum(one.rows for one in state.parts),
        state.lines(),
    )
    (lake / "data" / "traffic" / "flush-lost.parquet").write_bytes(b"x")
    assert verification(lake) == replace(found, orphans=1, orphan_bytes=1)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)


def scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 4 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 4)
    path.write_bytes(data)


def swap(path: Path) -> None:
    """Replace it by an intact file of another rollup, with the same size."""
    other = next(one for one in path.parent.parent.glob("*/*.parquet") if one.stat().st_size < path.stat().st_size)
    content = other.read_bytes()
    path.write_bytes(content[:4] + bytes(path.stat().st_size - len(content)) + content[4:])


@pytest.mark.parametrize("harm", [Path.unlink, cut_off, scribble, swap])
@pytest.mark.parametrize("rollup", ["traffic", "pages"])
def test_a_changed_file(lake: Path, rollup: str, harm: Callable[[Path], None]) -> None:
    path = lake / next(one.path for one in state_of(lake).parts if one.rollup == rollup)
    harm(path)
    assert problem(lake).startswith(f"{path}: ") and "restore it from a backup" in problem(lake)


def test_another_number_of_rows(lake: Path) -> None:
    state = state_of(lake)
    first, *others = state.parts
    publish(lake, replace(state, parts=(replace(first, rows=first.rows + 1), *others)))
    assert f"has {first.rows:,} rows, the catalog says {first.rows + 1:,}" in problem(lake)


@pytest.mark.parametrize(
    ("rollup", "message"),
    [
        ("traffic", r"hits and \d+ rejects? are not the [\d,]+ lines that its sources gave"),
        ("agents", r"2026-\d\d-\d\d: agents.hits are 0, traffic.hits are [\d,]+; they should be the same"),
        ("referrers", "referrers.hits are 0"),
        ("errors", "errors.hits are 0, traffic.hits WHERE status >= 400 are"),
        ("pages", "pages.views are 0"),
        ("pages", "pages.errors are 0"),
        ("ads", "ads.impressions are 0"),
        ("ads", re.escape("ads.clicks + clicks_dup are 0")),
        ("ads", "ads.conversions are 0"),
    ],
)
def test_sums_that_differ(lake: Path, rollup: str, message: str) -> None:
    state = state_of(lake)
    publish(lake, replace(state, parts=tuple(one for one in state.parts if one.rollup != rollup)))
    what = [one.what for one in verification(lake).problems]
    assert any(re.search(message, one) for one in what), what


def test_rows_that_count_twice(lake: Path) -> None:
    state = state_of(lake)
    twice = max((one for one in state.parts if one.rollup == "traffic"), key=lambda one: one.rows)
    publish(lake, replace(state, parts=(*state.parts, twice), gone=datetime(2001, 1, 1, tzinfo=UTC)))
    what = [one.what for one in verification(lake).problems]
    assert any("lines that its sources gave" in one for one in what) and any("agents.hits" in one for one in what)


@pytest.mark.slow
def test_impossible_positions(lake: Path) -> None:
    state = state_of(lake)
    id_, shards = next(iter(state.progress.items()))
    wrong = {**shards, 0: replace(shards[0], position=-1)}
    publish(lake, replace(state, progress={**state.progress, id_: wrong}))
    assert id_ in problem(lake) and "position -1 are impossible" in problem(lake)


@pytest.mark.slow
def test_an_invalid_secret(lake: Path) -> None:
    secret = lake / "secret"
    secret.chmod(0o644)
    assert problem(lake).endswith(f"chmod 600 {secret}")
    secret.chmod(0o600)
    secret.write_bytes(b"")
    assert problem(lake).startswith(f"{secret}: too short")
    secret.unlink()
    assert problem(lake).startswith(f"{secret}: missing")


def test_a_lake_that_any_user_may_write(lake: Path) -> None:
    lake.chmod(0o777)
    assert problem(lake).endswith(f"chmod o-w {lake}")


def test_a_newer_lake(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_format, "READABLE", (0,))
    monkeypatch.setattr(lake_format, "VERSION", 0)
    assert problem(lake).endswith("this logagg reads 0; upgrade logagg")


def test_a_directory_that_is_not_a_lake(tmp_path: Path) -> None:
    assert verify(tmp_path / "nowhere") is None
    assert verify(tmp_path) is None
    (tmp_path / "thesis.txt").touch()
    assert "not a lake, and not empty" in problem(tmp_path)
    assert problem(tmp_path / "thesis.txt").startswith(f"{tmp_path / 'thesis.txt'}: Not a directory")


def test_without_a_previous_catalog_only_a_backup_helps(lake: Path) -> None:
    for path in (lake / "catalog").iterdir():
        path.write_bytes(b"garbage")
    assert "restore it from a backup" in problem(lake)


@pytest.mark.parametrize("done", [0, 1, 5, None])
@pytest.mark.slow
def test_rows_that_retention_dropped_are_not_reported(lake: Path, done: int | None) -> None:
    """Retention drops the days of one rollup after another: meanwhile, sums over all days differ."""
    config = load(DEMO / "logagg.toml")
    keep = Config(retention=Retention(minute=None, hour=None, day=1.0))
    writer = Lake.open(lake, tables_of(config), clock=SystemClock(), config=keep)
    writer.compact_all()
    drops = [task for task in writer.plan_expiry() if task.drop and task.table in DEFAULTS]
    assert len(drops) > 5
    for task in sorted(drops, key=lambda task: task.parts[0].max_ts)[:done]:
        writer.commit_replacement(task.run())
    writer.close()
    found = verification(lake)
    assert found.problems == ()
    assert (found.gone is None) is (done == 0)
