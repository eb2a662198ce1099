"""Keys of JSON are read by those of the lines before; whatever their order, values are those of the reference."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from logagg.parse.lines import reference_json
from logagg.parse.lines.json_lines import split_objects

PATHS = {"a": "one", "request.b": "two", "request.headers.c": "three", "c": "three", 'd"é': "four", "k299": "five"}


def fast(lines: list[bytes]) -> list[dict[str, bytes]]:
    ends = np.cumsum([len(line) for line in lines])
    starts = ends - [len(line) for line in lines]
    data, slices, _ = split_objects(np.frombuffer(b"".join(lines), np.uint8), starts, ends, PATHS)
    read = {name: [bytes(data[s:e]) for s, e in zip(*places, strict=True)] for name, places in slices.items()}
    return [{name: values[row] for name, values in read.items()} for row in range(len(lines))]


def reference(lines: list[bytes]) -> list[dict[str, bytes]]:
    return [dict.fromkeys(PATHS.values(), b"") | _values(line) for line in lines]


def _values(line: bytes) -> dict[str, bytes]:
    try:
        return reference_json.values(line, PATHS)
    except ValueError:
        return {}  # no object: all is empty


ALIKE = [b'{"a":"1","x":0,"request":{"b":"2","y":[],"headers":{"c":"3"}},"z":{"a":"no"}}'] * 3
OTHERS = {
    "a key lacks": b'{"a":"1","request":{"b":"2","y":[],"headers":{"c":"3"}}}',
    "several keys lack": b'{"a":"1","z":{"a":"no"},"c":"4"}',
    "a key more": b'{"a":"1","w":"5","x":0,"request":{"b":"2","y":[],"headers":{"c":"3"}}}',
    "another order": b'{"request":{"headers":{"c":"3"},"b":"2"},"c":"4","a":"1"}',
    "the same key elsewhere": b'{"b":"no","headers":{"c":"no"},"request":{"a":"no","c":"no","headers":{"b":"no"}}}',
    "a key that begins alike": b'{"a2":"no","a":"1","requests":{"b":"no"}}',
    "spaces": b'{ "a" : "1" , "x":0, "request" : {"b" :"2"}}',
    "an escape in a key": b'{"\\u0061":"1","d\\"\\u00e9":"6"}',
    "cut after a key": b'{"a":"1","x":',
    "cut within a key": b'{"a":"1","x',
    "no object": b"-",
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_line_with_other_keys_than_those_before(other: bytes) -> None:
    lines = [*ALIKE, other, other, *ALIKE, other]
    assert fast(lines) == reference(lines)


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_lines_of_several_kinds_in_turn(other: bytes) -> None:
    lines = [ALIKE[0], other, OTHERS["a key more"], other, *ALIKE] * 3
    assert fast(lines) == reference(lines)


def test_more_keys_than_are_remembered() -> None:
    lines = [json.dumps({f"k{number}": number for number in range(last)}).encode() for last in (300, 256, 257, 300)]
    assert [one["five"] for one in fast(lines)] == [b"299", b"", b"", b"299"]


def test_keys_in_any_order() -> None:
    draw = random.Random(8)
    keys = ["a", "c", 'd"é', "k299", "x", "y"]
    lines = [
        json.dumps({key: draw.randrange(9) for key in draw.sample(keys, draw.randrange(7))}).encode()
        for _ in range(200)
    ]
    assert fast(lines) == reference(lines)
