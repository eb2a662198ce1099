"""Requests of events: which are kept, their order, and the content of their file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from logagg.config.rules import KINDS
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import EncodedRows
from logagg.rollup import requests
from logagg.rollup.columns import Columns
from logagg.rollup.requests import Encoder, Requests

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)


def events(*rows: dict[str, Any]) -> Columns:
    """Return events with the given values, and plain ones for the other columns."""
    plain: dict[str, Any] = {"time": AT, "position": 0, "visitor": 1, "is_bot": False, "status": 200, "bytes": 5}
    texts = {one.name: "" for one in EVENT_SCHEMA if pa.types.is_dictionary(one.type) and not one.nullable}
    made = [{"kind": "pageview", **row} for row in rows]
    filled = [{**dict.fromkeys(EVENT_SCHEMA.names), **texts, **plain, **row} for row in made]
    return Columns([pa.Table.from_pylist(filled, pa.schema(_plain(one) for one in EVENT_SCHEMA)).cast(EVENT_SCHEMA)])


def _plain(field: pa.Field) -> pa.Field:
    return field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field


def sources(*names: str) -> pa.Array:
    return pa.array(names).dictionary_encode()


def read(encoded: EncodedRows | None) -> pa.Table:
    assert encoded
    return pq.read_table(pa.BufferReader(encoded.data))


def test_each_event_is_a_row_in_the_order_of_times() -> None:
    encoder = Encoder(Requests())
    late, early = {"time": AT, "position": 7, "path": "/b"}, {"time": AT - timedelta(seconds=1), "path": "/a"}
    encoder.add(events(late, early), sources("s", "t"))
    encoder.add(events({"time": AT - timedelta(hours=1), "path": "/c"}), sources("u"))
    encoded, not_kept = encoder.drain()
    rows = read(encoded)
    assert rows.schema.names == requests.SCHEMA.names
    assert rows.select(["source", "position", "path"]).to_pylist() == [
        {"source": "t", "position": 0, "path": "/a"},
        {"source": "s", "position": 7, "path": "/b"},
        {"source": "u", "position": 0, "path": "/c"},
    ]
    assert encoded and not not_kept
    assert (encoded.rows, encoded.last - encoded.first) == (3, 3_600_000_000)
    assert encoder.drain() == (None, 0)


def test_a_file_has_the_columns_of_the_table() -> None:
    encoder = Encoder(Requests())
    encoder.add(events({"seconds": 0.25, "user": "ann", "country": "NZ"}), sources("s"))
    table = read(encoder.drain()[0]).cast(requests.SCHEMA)
    [row] = table.to_pylist()
    assert (row["seconds"], row["user"], row["country"], row["network"]) == (0.25, "ann", "NZ", None)


def test_only_some_kinds_are_kept() -> None:
    encoder = Encoder(Requests(("click", "conversion")))
    encoder.add(events({"kind": "pageview"}), sources("s"))
    assert encoder.drain() == (None, 0)
    encoder.add(events({"kind": "asset"}, {"kind": "click", "id": "7"}), sources("s", "s"))
    encoded, not_kept = encoder.drain()
    assert read(encoded)["id"].to_pylist() == ["7"] and not not_kept


def test_if_none_is_kept_the_newest_time_is_passed_on() -> None:
    encoder = Encoder(Requests(()))
    encoder.add(events({"time": AT}, {"time": AT - timedelta(days=1)}), sources("s", "s"))
    assert encoder.nbytes == 0
    assert encoder.drain() == (None, round(AT.timestamp() * 1_000_000))
    assert encoder.drain() == (None, 0)


def test_waiting_requests_are_counted() -> None:
    encoder = Encoder(Requests())
    assert encoder.nbytes == 0
    encoder.add(events(*[{"position": number} for number in range(1000)]), sources(*["s"] * 1000))
    assert 0 < encoder.nbytes < 20_000
    encoder.drain()
    assert encoder.nbytes == 0


def test_a_part_has_no_unused_dictionary_entries() -> None:
    """Entries of events that are not kept, and of other batches."""
    encoder = Encoder(Requests(("click",)))
    encoder.add(events({"kind": "click", "path": "/go"}, {"kind": "asset", "path": "/secret.css"}), sources("s", "s"))
    encoded, _ = encoder.drain()
    assert encoded and b"secret" not in encoded.data
    file = pq.ParquetFile(pa.BufferReader(encoded.data), read_dictionary=["path"])
    assert file.read()["path"].chunk(0).dictionary.to_pylist() == ["/go"]


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (1, 1), (59, 1), (60, 1), (61, 2)])
def test_a_whole_minute(seconds: int, minutes: int) -> None:
    assert requests.whole_minute(AT + timedelta(seconds=seconds)) == AT + timedelta(minutes=minutes)


def test_all_kinds_are_kept_without_a_condition() -> None:
    assert Requests().where is None
    assert Requests(tuple(reversed(KINDS))).where is None
    assert Requests(KINDS[:1]).where is not None
