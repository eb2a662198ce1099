"""Catalog files, small or large: their content is read back unchanged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from logagg.lake import catalog
from logagg.lake.state import NEVER, State
from logagg.records import Fingerprint, Progress, Source
from logagg.rollup.definitions import DEFAULTS

NOW = datetime(2026, 11, 25, tzinfo=UTC)
STATE = State(3, "/lake", NOW, rollups={rollup.name: rollup.schema for rollup in DEFAULTS})


def of_sources(count: int) -> State:
    """Return a state with a number of sources."""
    nothing = Fingerprint(0, 0, "")
    sources = [Source(f"{number:016}", f"/log/{number}", 1, number, nothing) for number in range(count)]
    progress = {one.id: {0: Progress(0, 0, nothing)} for one in sources}
    return replace(STATE, sources={one.id: one for one in sources}, progress=progress)


@pytest.mark.parametrize("count", [1, 20_000], ids=["small", "large"])
@pytest.mark.slow
def test_a_state_is_read_back_unchanged(count: int, tmp_path: Path) -> None:
    path, state = tmp_path / "1.duckdb", of_sources(count)
    catalog.write(path, state)
    assert catalog.read(path) == state
    assert list(tmp_path.iterdir()) == [path], "there is no write-ahead log beside it"


@pytest.mark.parametrize("seconds", [-1.0, -1e14, 1e14, float(2**63 - 1), -(2.0**63)])
def test_a_file_may_have_any_time(tmp_path: Path, seconds: float) -> None:
    """As on tmpfs, which stores any time."""
    path, state = tmp_path / "1.duckdb", of_sources(1)
    sources = {id_: replace(one, modified=seconds, gone=max(0.0, seconds)) for id_, one in state.sources.items()}
    catalog.write(path, replace(state, sources=sources))
    [found] = catalog.read(path).sources.values()
    assert found.modified == seconds or abs(found.modified) > 2e9


def test_the_start_of_the_steady_clock_is_read_back_and_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "1.duckdb"
    catalog.write(path, replace(STATE, steady=NOW))
    assert catalog.read(path).steady == NOW
    with duckdb.connect(str(path)) as connection:
        connection.execute("ALTER TABLE lake DROP COLUMN steady")  # as in a catalog of an earlier version
    assert catalog.read(path).steady == NEVER


@pytest.mark.slow
def test_a_large_catalog_is_compressed(tmp_path: Path) -> None:
    path, state = tmp_path / "1.duckdb", of_sources(20_000)
    catalog.write(path, state)
    assert path.stat().st_size < 60 * len(state.sources)


def test_catalogs_can_be_written_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(duckdb.Error):
        catalog.write(tmp_path / "nowhere" / "1.duckdb", STATE)
    later = replace(STATE, id=4, created_at=NOW + timedelta(hours=1))
    catalog.write(tmp_path / "2.duckdb", later)
    assert catalog.read(tmp_path / "2.duckdb").created_at == later.created_at


def test_macros_answer_from_the_views_of_their_catalog(tmp_path: Path) -> None:
    path = tmp_path / "1.duckdb"
    catalog.write(path, STATE)
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.sql("SELECT latency_quantile(0.5), ctr(4, 1), uniques([1, 2]::UBIGINT[])").fetchall() == [
            (None, 0.25, 2)
        ]
