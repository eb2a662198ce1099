"""Columns that came after a part was written: empty in its rows, alone and merged with newer ones, and no damage."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from logagg.lake.catalog import view
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
    found = write_encoded(root, requests.NAME, 1, EncodedRows(out.getvalue().to_pybytes(), rows.num_rows, at, at))
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


def test_what_is_no_entry_has_no_channel_in_the_view(tmp_path: Path) -> None:
    entries: list[dict[str, str | None]] = [
        {"path": "/a", "channel": "Direct", "referrer_source": "", "medium": ""},
        {"path": "/b", "channel": None, "referrer_source": None, "medium": None},
    ]
    rows = requests.rows(made(*entries), sources(*["s"] * 2))
    new, old = part(tmp_path, rows), part(tmp_path, rows.drop_columns(list(requests.ENTRY)), ",".join(requests.ENTRY))
    assert rows["channel"].to_pylist() == ["Direct", ""]  # a file has no null there
    [merged] = Merge(Requests(), 100).tables(tmp_path, [new], lambda rows: None)
    assert events(merged).select(["path", *requests.ENTRY]).to_pylist() == entries
    nulls = [{"path": one["path"], **dict.fromkeys(requests.ENTRY)} for one in entries]
    with duckdb.connect() as connection:
        for parts, expected in (([new], entries), ([old], nulls)):
            connection.execute(view(requests.NAME, requests.SCHEMA, parts, str(tmp_path)))
            found = connection.sql(f"SELECT path, {', '.join(requests.ENTRY)} FROM requests ORDER BY path").fetchall()
            assert found == [tuple(one.values()) for one in expected]
            counted = connection.sql("SELECT count(*) FROM requests WHERE channel IS NOT NULL").fetchall()
            assert counted == [(sum(one["channel"] is not None for one in expected),)]
