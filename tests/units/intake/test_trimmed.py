"""The position at which a log continues after it was cut at its front."""

from __future__ import annotations

import gzip

import pytest

from logagg.intake import trimmed
from logagg.intake.content import fingerprint_of
from logagg.intake.trimmed import trimmed_at
from tests.units.intake.conftest import LONG, MORE, SHORT, Bench

READ = fingerprint_of(len(LONG), LONG)


@pytest.fixture(params=[LONG[-1024:], b""], ids=["bytes known", "digest only"])
def tail(request: pytest.FixtureRequest) -> bytes:
    found: bytes = request.param
    return found


@pytest.mark.parametrize(
    ("left", "position"),
    [
        (LONG[-1500:], 1500),
        (LONG[-1500:] + MORE, 1500),
        (LONG[-1024:] + MORE, 1024),
        (LONG[-1000:] + MORE, None),
        (MORE, None),
        (b"", None),
    ],
)
def test_after_the_fingerprint(files: Bench, left: bytes, position: int | None, tail: bytes) -> None:
    assert trimmed_at(files.content(files.write("access.log", left)), READ, tail) == position


def test_across_the_pieces_that_are_searched(files: Bench, tail: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimmed, "_PIECE", 700)
    assert trimmed_at(files.content(files.write("access.log", LONG[-1500:] + MORE)), READ, tail) == 1500


def test_only_the_end_is_searched(files: Bench, tail: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimmed, "_PIECE", 700)
    monkeypatch.setattr(trimmed, "SEARCHED", 700)
    assert trimmed_at(files.content(files.write("access.log", LONG[-1500:] + MORE)), READ, tail) is None


def test_a_short_fingerprint_proves_nothing(files: Bench) -> None:
    content = files.content(files.write("access.log", SHORT))
    assert trimmed_at(content, fingerprint_of(len(SHORT), SHORT), SHORT) is None


def test_the_end_of_one_long_line_proves_nothing(files: Bench) -> None:
    data = b"x" * 5000 + b"\n"
    content = files.content(files.write("access.log", data))
    assert trimmed_at(content, fingerprint_of(len(data), data), data[-1024:]) is None


def test_archives_are_not_searched(files: Bench, tail: bytes) -> None:
    assert trimmed_at(files.content(files.write("access.log.gz", gzip.compress(LONG))), READ, tail) is None
