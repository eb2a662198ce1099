"""Columns that came after a part was written: empty in its rows, alone and merged with newer ones, and no damage."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from logagg.lake.merge import Merge
from logagg.lake.parts import FLUSH, Part, PartReader, write_encoded
from logagg.lake.verify import _wrong_rows
from logagg.records import EncodedRows
from logagg.rollup import requests
from logagg.rollup.replay import events
from logagg.rollup.requests import Requests
from tests.units.rollup.test_requests import AT, sources
from tests.units.rollup.test_requests import events as made

LATER = ("robot", "city")
ROWS = requests.rows(made({"robot": "curl", "city": "Lund", "path": "/a"}), sources("s"))


def part(root: Path, rows: pa.Table, lacks: str = "") -> Part:
    out = pa.BufferOutputStream()
    pq.write_table(rows, out, store_schema=False)
    at = round(AT.timestamp() * 1_000_000)
    found = write_encoded(root, requests.NAME, 1, EncodedRows(out.getvalue(), rows.num_rows, at, at))
    return Part(**{name: getattr(found, name) for name in Part.__slots__ if name != "lacks"}, lacks=lacks)


def test_requests(tmp_path: Path) -> None:
    old, new = part(tmp_path, ROWS.drop_columns(list(LATER)), ",".join(LATER)), part(tmp_path, ROWS)
    assert old.level == FLUSH
    for one in (old, new):
        assert _wrong_rows(tmp_path / one.path, one, requests.SCHEMA) == ""
    reader = PartReader(tmp_path, old, Requests())
    [rows] = [batch for _, groups in reader.runs for batch in reader.batches(groups, 1 << 20)]
    reader.close()
    assert rows.schema.names == requests.SCHEMA.names
    assert rows.select(["path", *LATER]).to_pylist() == [{"path": "/a", "robot": "", "city": ""}]
    [merged] = Merge(Requests(), 100).tables(tmp_path, [old, new], lambda rows: None)
    assert sorted(merged["robot"].to_pylist()) == ["", "curl"]
    assert sorted(events(merged)["city"].to_pylist()) == ["", "Lund"]
    assert "has the columns" in _wrong_rows(tmp_path / old.path, new, requests.SCHEMA)
