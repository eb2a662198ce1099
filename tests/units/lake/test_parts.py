"""Parts: what is told of their rows is so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from logagg.lake.calendar import WINDOW, Piece
from logagg.lake.files import MONTH, PartReader, PartWriter
from logagg.rollup.definitions import DEFAULTS

TRAFFIC = DEFAULTS[0]
START = datetime(2026, 3, 1, tzinfo=UTC)


def alike(rows: int) -> pa.Table:
    """Return rows that a file needs hardly any bytes for: a hundred a minute, else the same."""
    minutes = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(rows) // 100 * np.timedelta64(60, "s")
    words = {name: pa.array(["-"]).take(pa.array(np.zeros(rows, np.int32))).dictionary_encode() for name in ("site", "kind", "method")}
    ones = pa.array(np.ones(rows, np.int64))
    sketches = pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32)), pa.array(np.full(rows, 7, np.uint64)))
    columns = {"ts": pa.array(minutes).cast(pa.timestamp("us", "UTC")), **words, "status": ones.cast(pa.int16()), "is_bot": ones.cast(pa.bool_()), "hits": ones, "bytes": ones, "visitors": sketches}
    return pa.table([columns[name] for name in TRAFFIC.schema.names], names=TRAFFIC.schema.names)


def test_the_spans_of_a_part_say_what_its_rows_take_in_memory_and_not_in_the_file(tmp_path: Path) -> None:
    rows = alike(600_000)
    with PartWriter(tmp_path, TRAFFIC, MONTH, 60) as writer:
        writer.write(rows)
    assert writer.part and writer.part.bytes < rows.nbytes / 20
    reader = PartReader(tmp_path, TRAFFIC, writer.part)
    assert rows.nbytes / 2 < sum(span.bytes for span in reader.spans) < rows.nbytes * 2
    piece = Piece(int(START.timestamp()), int((START + timedelta(minutes=6000)).timestamp()), MONTH)
    tables = [reader.read(start, end) for start, end in piece.windows(reader.spans, 60)]
    reader.close()
    assert sum(table.num_rows for table in tables) == 600_000
    assert len(tables) > 1 and max(table.nbytes for table in tables) < 2 * WINDOW
