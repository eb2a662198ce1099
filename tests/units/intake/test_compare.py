"""The content that two files share."""

from __future__ import annotations

import gzip

import pytest

from logagg.intake import compare as module
from logagg.intake.compare import compare, ends_with, shared_lines
from tests.units.intake.conftest import LONG, MORE, Bench

pytestmark = pytest.mark.parametrize("packed", [False, True])


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", 100)


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (LONG, LONG, (len(LONG), True, True)),
        (LONG[:1000], LONG, (1000, True, False)),
        (LONG, LONG[:1000], (1000, False, True)),
        (b"", LONG, (0, True, False)),
        (LONG, MORE, (None, False, False)),
        (LONG + b"a\n", LONG + b"b\n", (None, False, False)),
    ],
)
def test_compare(files: Bench, one: bytes, other: bytes, found: tuple[int | None, bool, bool], packed: bool) -> None:
    contents = [files.content(files.write(name, data)) for name, data in (("one", one), ("other", other))]
    if packed:
        contents[1] = files.content(files.write("other.gz", gzip.compress(other)))
    shared, ended, other_ended = compare(*contents)
    assert (ended, other_ended) == found[1:]
    assert found[0] in (shared, None)


def test_ends_with(files: Bench, packed: bool) -> None:
    kept = files.content(files.write("kept", LONG[-1000:] + MORE))
    whole = files.content(files.write("whole", gzip.compress(LONG) if packed else LONG))
    assert ends_with(whole, len(LONG), kept, 1000)
    assert not ends_with(whole, len(LONG), kept, 1001)
    assert not ends_with(whole, len(LONG) - 1, kept, 1000)
    assert not ends_with(whole, 500, kept, 1000), "its beginning is missing"


def test_shared_lines(files: Bench, packed: bool) -> None:
    one = files.content(files.write("one", b"only here\n" + LONG + b"half a line, then this"))
    data = LONG + b"half a line, then that"
    other = files.content(files.write("other", gzip.compress(data) if packed else data))
    assert shared_lines(one, 10, other, 0) == len(LONG), "whole lines only"
    assert shared_lines(one, 9, other, 0) == 0
