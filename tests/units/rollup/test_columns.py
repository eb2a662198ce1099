"""Columns of several tables are concatenated."""

import pyarrow as pa

from logagg.rollup.columns import Columns

ONE = pa.table({"word": pa.array(["a", None, "b"]).dictionary_encode(), "number": [1, 2, 3]})
OTHER = pa.table({"word": pa.array(["c", "a"]).dictionary_encode(), "number": [4, None]})


def test_tables_are_concatenated() -> None:
    columns = Columns([ONE, OTHER, ONE.slice(0, 0)])
    assert columns["word"].to_pylist() == ["a", None, "b", "c", "a"]
    assert columns["word"].dictionary.to_pylist() == ["a", "b", "c"]
    assert columns.table().to_pylist() == [*ONE.to_pylist(), *OTHER.to_pylist()]
    assert columns.table(["number"]).column_names == ["number"]


def test_a_column_is_concatenated_once() -> None:
    columns = Columns([ONE, OTHER])
    assert columns["word"] is columns["word"]
