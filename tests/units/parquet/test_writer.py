"""What is written is read by pyarrow and by DuckDB, whatever the columns hold."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logagg.parquet.chunks import Encoding, encoded
from logagg.parquet.pages import encode_codes
from logagg.parquet.writer import Writer

TIME = pa.timestamp("us", "UTC")
CODES = pa.dictionary(pa.int32(), pa.string())
LISTS = pa.list_(pa.uint64())
WHOLE = st.integers(-(2**63), 2**63 - 1)
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    CODES: st.text(max_size=3) | st.text(st.characters(codec="utf-8"), max_size=40),
    pa.string(): st.text(st.characters(codec="utf-8"), max_size=40),
    pa.int16(): st.integers(-(2**15), 2**15 - 1) | st.sampled_from([200, 404]),
    pa.int64(): WHOLE | st.integers(0, 9),
    pa.uint64(): st.integers(0, 2**64 - 1) | st.integers(0, 9),
    pa.float64(): st.floats(allow_nan=False) | st.sampled_from([0.25, 0.5]),
    pa.bool_(): st.booleans(),
    LISTS: st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=9),
}
ENCODINGS = st.builds(Encoding, st.booleans(), st.just(False), st.booleans(), st.booleans())
DELTAS = st.builds(Encoding, st.just(False), st.just(True), st.booleans())


def written(tables: Sequence[pa.Table], encodings: dict[str, Encoding] | None = None) -> bytes:
    out = io.BytesIO()
    writer = Writer(out, tables[0].schema, encodings or {})
    for table in tables:
        writer.write(table)
    writer.close()
    return out.getvalue()


def plain(table: pa.Table) -> pa.Table:
    """Return a table with its text as it is."""
    return table.cast(
        pa.schema([one.with_type(pa.string()) if one.type == CODES else one for one in table.schema])
    ).combine_chunks()


@st.composite
def columns(draw: st.DrawFn, rows: int) -> tuple[pa.Field, Encoding, pa.Array]:
    kind = draw(st.sampled_from(list(VALUES)))
    nullable = draw(st.booleans())
    some = draw(st.lists(VALUES[kind], min_size=1, max_size=8))
    some += [None] if nullable else []
    picked = draw(st.lists(st.sampled_from(some), min_size=rows, max_size=rows))
    column = pa.array(picked, kind.value_type if kind == CODES else kind)
    encoding = draw(DELTAS if kind == pa.int64() else ENCODINGS)
    return (
        pa.field("", kind, nullable or kind == LISTS),
        encoding,
        column.dictionary_encode() if kind == CODES else column,
    )


@st.composite
def tables(draw: st.DrawFn) -> tuple[pa.Table, dict[str, Encoding]]:
    rows = draw(st.integers(1, 300))
    start = draw(st.integers(-(2**50), 2**50))
    times = pa.array(np.sort(draw(st.randoms()).choices(range(start, start + 10**6), k=rows)), TIME)
    found = draw(st.lists(columns(rows), max_size=6))
    fields = [pa.field("ts", TIME), *(one.with_name(f"c{at}") for at, (one, _, _) in enumerate(found))]
    encodings = {"ts": Encoding(deltas=True)} | {f"c{at}": encoding for at, (_, encoding, _) in enumerate(found)}
    return pa.table([times, *(column for _, _, column in found)], schema=pa.schema(fields)), encodings


@settings(deadline=None)
@given(tables(), st.integers(1, 300), st.booleans())
def test_any_table_comes_back(made: tuple[pa.Table, dict[str, Encoding]], size: int, encoded_text: bool) -> None:
    table, encodings = made
    groups = [table.slice(start, size) for start in range(0, table.num_rows, size)]
    data = written(groups, encodings)
    texts = [one.name for one in table.schema if one.type == CODES] if encoded_text else []
    file = pq.ParquetFile(io.BytesIO(data), read_dictionary=texts)
    assert plain(file.read()).equals(plain(table))
    assert [one.nullable for one in file.schema_arrow] == [one.nullable for one in table.schema]
    assert file.metadata.num_row_groups == len(groups)
    for number, group in enumerate(groups):
        told = file.metadata.row_group(number)
        times = told.column(0).statistics
        assert [times.min, times.max] == [group["ts"][0].as_py(), group["ts"][-1].as_py()]
        for at, one in enumerate(group.columns):
            nulls = told.column(at).statistics
            assert nulls is None if one.type == LISTS else nulls.null_count == one.null_count


@settings(deadline=None, max_examples=30)
@given(tables())
def test_duckdb_reads_the_same(made: tuple[pa.Table, dict[str, Encoding]]) -> None:
    table, encodings = made
    with duckdb.connect() as connection, Temporary() as file:
        file.write_bytes(written([table], encodings))
        found = connection.read_parquet(str(file)).to_arrow_table()
    assert found.to_pylist() == plain(table).to_pylist()


class Temporary:
    """A file that is there while a test runs: hypothesis cannot have a function's own directory."""

    def __enter__(self) -> Path:
        self._folder = tempfile.TemporaryDirectory()
        return Path(self._folder.name, "a.parquet")

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


# Widths of codes at the bounds of bytes and words, runs around their least length, and what is left of a group.
@pytest.mark.parametrize("distinct", [1, 2, 3, 4, 64, 65, 255, 256, 257, 4097, 65_536, 65_537, 130_000])
@pytest.mark.parametrize("rows", [1, 7, 8, 9, 1000, 131_072])
def test_codes_of_any_width(distinct: int, rows: int) -> None:
    random = np.random.default_rng(distinct + rows)
    codes = random.integers(0, distinct, rows, dtype=np.int32)
    for at in range(0, rows, max(1, rows // 9)):  # with runs of all lengths, at all distances
        codes[at : at + random.integers(1, 120)] = codes[at]
    texts = pa.array([str(number) for number in range(distinct)])
    column = pa.DictionaryArray.from_arrays(pa.array(codes), texts)
    data = written([pa.table({"a": column})])
    assert pq.read_table(io.BytesIO(data))["a"].combine_chunks().equals(column.cast(pa.string()))


@pytest.mark.parametrize("beyond", [-1, 3, 2**31 - 1, -(2**31)])
def test_codes_beyond_the_dictionary_are_refused(beyond: int) -> None:
    with pytest.raises(IndexError, match="a code beyond 3 values"):
        encode_codes(np.array([0, beyond, 2], np.int32), 3)


def test_entries_that_no_row_uses_are_left_out() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([2, 2, 5], pa.int32()), pa.array(list("abcdef")))
    chunk = encoded(column, Encoding(), nullable=False)
    assert chunk.dictionary and bytes(chunk.dictionary.data) == b"\x01\0\0\0c\x01\0\0\0f"


def test_entries_that_are_alike_become_one() -> None:
    """pyarrow decodes the codes of a dictionary with equal entries wrongly."""
    values = ["a", "", "b", "a", "unused", "", "c"]
    rows = [6, 3, 0, 5, 1, 2, 6, None]
    column = pa.DictionaryArray.from_arrays(pa.array(rows, pa.int32()), pa.array(values))
    data = written([pa.table({"a": column}), pa.table({"a": column.slice(2, 4)})])
    for texts in ([], ["a"]):
        found = pq.ParquetFile(io.BytesIO(data), read_dictionary=texts).read()
        found.validate(full=True)
        expected = [None if row is None else values[row] for row in (*rows, *rows[2:6])]
        assert found["a"].to_pylist() == expected


def test_numbers_that_hardly_repeat_have_no_dictionary() -> None:
    many, few = np.arange(1000, dtype=np.uint64) * np.uint64(2**50 + 1), np.ones(1000, np.uint64)
    assert encoded(pa.array(many), Encoding(), nullable=False).dictionary is None
    assert encoded(pa.array(few), Encoding(), nullable=False).dictionary is not None


def test_a_file_without_rows(tmp_path: Path) -> None:
    out = io.BytesIO()
    Writer(out, pa.schema({"ts": TIME, "a": pa.string()}), {}).close()
    assert pq.read_table(io.BytesIO(out.getvalue())).num_rows == 0


@pytest.mark.parametrize("length", [0, 1, 3, 4, 7, 8, 11, 31, 32, 33, 64, 100])
def test_a_filter_tells_what_is_not_there(tmp_path: Path, length: int) -> None:
    """DuckDB and pyarrow's writer agree with it on every text of every length."""
    texts = [f"{number:x}".rjust(length, "-")[-length:] if length else "" for number in range(5000)]
    table = pa.table({"path": pa.array(texts).dictionary_encode(), "n": pa.array(range(5000), pa.int64())})
    file = tmp_path / "a.parquet"
    file.write_bytes(written([table], {"path": Encoding(filtered=True)}))
    theirs = tmp_path / "b.parquet"
    pq.write_table(plain(table), theirs, bloom_filter_options={"path": {"ndv": len(set(texts)), "fpp": 0.05}})
    with duckdb.connect() as connection:
        for text in ["", "absent", *texts[::97]]:
            query = f"FROM parquet_bloom_probe('{file}', 'path', $text)"
            [(_, _, excluded)] = connection.execute(query, {"text": text}).fetchall()
            assert not (excluded and text in texts)
            query = f"FROM parquet_bloom_probe('{theirs}', 'path', $text)"
            [(_, _, by_pyarrow)] = connection.execute(query, {"text": text}).fetchall()
            assert excluded == by_pyarrow
        probed = [f"other {number}" for number in range(300)]
        query = f"SELECT bloom_filter_excludes FROM parquet_bloom_probe('{file}', 'path', $text)"
        passed = sum(not connection.execute(query, {"text": text}).fetchall()[0][0] for text in probed)
    assert passed < 60  # 5% of them on the average


def test_an_older_duckdb_reads_it(tmp_path: Path) -> None:
    """Clients have DuckDB from 1.2 on; the oldest that is installed for tests is that of `duckdb-cli`."""
    rows = 3000
    table = pa.table(
        {
            "ts": pa.array(range(rows), TIME),
            "path": pa.array([f"/{number % 70}" for number in range(rows)]).dictionary_encode(),
            "id": pa.array([str(number) if number % 3 else "" for number in range(rows)]),
            "value": pa.array([number if number % 5 == 0 else None for number in range(rows)], pa.int64()),
            "is_bot": pa.array([number % 7 == 0 for number in range(rows)]),
        }
    )
    file = tmp_path / "a.parquet"
    file.write_bytes(written([table], {"ts": Encoding(deltas=True), "path": Encoding(filtered=True)}))
    client = Path(sys.executable).with_name("duckdb")
    sums = "count(*), sum(epoch_us(ts)), sum(try_cast(id AS INT)), sum(value), count(*) FILTER (is_bot)"
    query = f"SELECT {sums}, count(*) FILTER (path = '/69') FROM '{file}'"
    words = [str(client), "-csv", "-noheader", "-c", query]
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    ids = sum(number for number in range(rows) if number % 3)
    values = sum(number for number in range(0, rows, 5))
    expected = [rows, sum(range(rows)), ids, values, len(range(0, rows, 7)), len(range(69, rows, 70))]
    assert re.findall(r"\d+", found.stdout) == [str(number) for number in expected]
