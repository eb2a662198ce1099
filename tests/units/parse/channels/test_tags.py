"""Tags of query strings: which queries have a key, and what is read of them."""

from __future__ import annotations

from urllib.parse import parse_qsl

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.columnar.slices import Slices
from logagg.parse.channels.arrivals import UNTAGGED, Tags
from logagg.parse.channels.tags import TagKeys, read_tags
from logagg.parse.text import urls

KEYS = TagKeys((b"s", b"src"), (b"m",), (b"c",), (b"k1", b"k2"), 5)
QUERIES = st.lists(
    st.lists(st.sampled_from(["s=a", "src=b", "s=", "m=x", "c=%41", "k1=", "k2=1", "ss=a", "", "s"])).map("&".join)
)


def read(queries: list[str], wanted: list[bool] | None = None, keys: TagKeys = KEYS) -> list[Tags]:
    found = np.ones(len(queries), np.bool_) if wanted is None else np.array(wanted, np.bool_)
    codes, tags = read_tags(Slices.of(pa.array(queries, pa.string())), found, keys)
    assert tags[0] == UNTAGGED
    assert len(set(tags)) == len(tags) or UNTAGGED in tags[1:]
    return [tags[code] for code in codes] if codes is not None else [UNTAGGED] * len(queries)


def plainly(query: str) -> Tags:
    fields = [field for field in query.split("&") if "=" in field]  # without it, a field is no parameter
    pairs = parse_qsl("&".join(fields), keep_blank_values=True)
    first = {key: value for key, value in reversed(pairs)}
    source = first.get("s", first.get("src", ""))
    return Tags(
        source, first.get("m", ""), first.get("c", ""), "k1" if first.get("k1") else "k2" if first.get("k2") else ""
    )


@given(QUERIES)
def test_tags(queries: list[str]) -> None:
    assert read(queries) == [plainly(query) for query in queries]


def test_only_wanted_queries_are_read() -> None:
    assert read(["s=a", "s=a"], [False, True]) == [UNTAGGED, Tags("a")]
    assert read(["s=a"], [False]) == read(["s=a"], keys=TagKeys()) == [UNTAGGED]


def test_values_are_cut() -> None:
    assert read(["s=abcdefg"]) == [Tags("abcde")]


@given(st.lists(st.text("ab=&s", max_size=12)))
def test_have_keys(queries: list[str]) -> None:
    keys = [b"s", b"ab"]
    places = Slices.of(pa.array(queries, pa.string())).places
    expected = [any(field.startswith(("s=", "ab=")) for field in query.split("&")) for query in queries]
    assert urls.have_keys(*places, keys).tolist() == expected


def test_have_keys_is_bounded() -> None:
    places = Slices.of(pa.array(["a"])).places
    assert urls.have_keys(*places, []).tolist() == [False]
    with pytest.raises(ValueError, match="at most"):
        urls.have_keys(*places, [b"k"] * 2000)
