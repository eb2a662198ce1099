"""The simulation of journeys, with few visitors: every figure of logagg is the truth."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from bench import journeys


@pytest.mark.thorough
def test_every_figure_is_that_of_the_journeys(tmp_path: Path) -> None:
    truth = journeys.written(4_000, seed=3)
    lake = journeys.read(tmp_path, truth)
    with duckdb.connect(str(lake / "logagg.duckdb"), read_only=True) as connection:
        [(derived, left)] = connection.execute(
            "SELECT (SELECT count(*) FROM paths_materialized), (SELECT count(*) FROM requests_since_paths)"
        ).fetchall()
    assert derived > 50 and left < len(truth.lines) / 2  # most figures are of what is materialized
    figures = list(journeys.compared(truth, journeys.said(lake)))
    assert len(figures) > 30
    assert [figure for figure in figures if figure[1] != figure[2]] == []
