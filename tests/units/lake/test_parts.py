"""Parts: all rows are read, in runs ordered by time, and at most the requested number at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from logagg.lake.parts import FLUSH, MONTH, READ, PartReader, PartWriter, micros
from logagg.rollup.definitions import DEFAULTS

TRAFFIC = DEFAULTS[0]
START = datetime(2026, 3, 1, tzinfo=UTC)


def alike(rows: int) -> pa.Table:
    """Return rows that compress to almost nothing: a hundred a minute, otherwise equal."""
    minutes = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(rows) // 100 * np.timedelta64(60, "s")
    words = {
        name: pa.array(["-"]).take(pa.array(np.zeros(rows, np.int32))).dictionary_encode()
        for name in ("site", "kind", "method")
    }
    ones = pa.array(np.ones(rows, np.int64))
    sketches = pa.ListArray.from_arrays(
        pa.array(np.arange(rows + 1, dtype=np.int32)), pa.array(np.full(rows, 7, np.uint64))
    )
    columns = {
        "ts": pa.array(minutes).cast(pa.timestamp("us", "UTC")),
        **words,
        "status": ones.cast(pa.int16()),
        "is_bot": ones.cast(pa.bool_()),
        "hits": ones,
        "bytes": ones,
        "visitors": sketches,
    }
    return pa.table([columns[name] for name in TRAFFIC.schema.names], names=TRAFFIC.schema.names)


def test_writers_that_make_the_directory_at_the_same_time(tmp_path: Path) -> None:
    """Each makes it under another name, and renames it: the last one replaces those that are still empty."""
    rows = TRAFFIC.schema.empty_table()
    for number in range(30):
        root = tmp_path / str(number)
        root.mkdir()

        def write(root: Path = root) -> None:
            with PartWriter(root, TRAFFIC, FLUSH, 60) as writer:
                writer.write(rows)

        with ThreadPoolExecutor(8) as threads:
            for done in [threads.submit(write) for _ in range(8)]:
                done.result()


@pytest.mark.slow
def test_a_batch_has_the_requested_bytes_regardless_of_compression(tmp_path: Path) -> None:
    rows = alike(600_000)
    with PartWriter(tmp_path, TRAFFIC, MONTH, 60) as writer:
        writer.write(rows)
    assert writer.part and writer.part.bytes < rows.nbytes / 20
    reader = PartReader(tmp_path, writer.part, TRAFFIC)
    [(start, groups)] = reader.runs
    for size in (100_000, 4 * READ):
        batches = list(reader.batches(groups, size))
        assert sum(batch.num_rows for batch in batches) == 600_000
        assert size / 4 < max(batch.nbytes for batch in batches) < 2 * size
    reader.close()
    assert start == micros(START)


def test_the_rows_of_each_shard_are_a_run(tmp_path: Path) -> None:
    with PartWriter(tmp_path, TRAFFIC, MONTH, 60) as writer:
        for number in (300_000, 200, 100):
            writer.write(alike(number))
    assert writer.part
    reader = PartReader(tmp_path, writer.part, TRAFFIC)
    runs = [sum(batch.num_rows for batch in reader.batches(groups, READ)) for _, groups in reader.runs]
    reader.close()
    assert runs == [300_000, 200, 100]
