"""Dictionary-encoded text."""

import pyarrow as pa

from logagg.columnar.encoded import shorten


def test_shorten_counts_characters() -> None:
    assert shorten(pa.array(["ййй", "a"]), 2).to_pylist() == ["йй", "a"]
