"""Parts of an earlier logagg get digests; unreadable or exchanged ones are damaged."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from logagg.lake import adoption
from logagg.lake.adoption import Adoption, adoptions
from logagg.lake.digests import digest_in, digest_of
from logagg.lake.parts import DAY, Part

AT = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def parts(tmp_path: Path) -> list[Part]:
    """Three parts, with names from before there were digests."""
    (tmp_path / "data/traffic").mkdir(parents=True)
    return [made(tmp_path, number) for number in range(3)]


def made(root: Path, number: int) -> Part:
    path = f"data/traffic/day-{number:016x}.parquet"
    pq.write_table(pa.table({"hits": [number] * 100}), root / path)
    return Part("traffic", path, DAY, 60, 100, (root / path).stat().st_size, AT, AT)


def test_parts_get_names_with_their_digests(tmp_path: Path, parts: list[Part]) -> None:
    done = Adoption(tmp_path, tuple(parts)).run()
    assert done.old == tuple(parts) and done.noted == ()
    for before, after in zip(parts, done.new, strict=True):
        assert digest_in(after.path) == digest_of(tmp_path / before.path)
        assert replace(after, path=before.path) == before
        assert (tmp_path / after.path).read_bytes() == (tmp_path / before.path).read_bytes()
    assert adoptions(tmp_path, done.new) == []


def test_without_hard_links_the_file_is_copied(
    tmp_path: Path, parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    done = Adoption(tmp_path, tuple(parts)).run()
    assert [digest_of(tmp_path / part.path) for part in done.new] == [digest_in(part.path) for part in done.new]


def test_damaged_parts_are_marked(tmp_path: Path, parts: list[Part]) -> None:
    sound, scribbled, missing = parts
    path = tmp_path / scribbled.path
    path.write_bytes(bytes(scribbled.bytes))
    (tmp_path / missing.path).unlink()
    done = Adoption(tmp_path, tuple(parts)).run()
    assert done.old == (sound,) and len(done.new) == 1
    assert done.noted == (replace(scribbled, damaged=True), replace(missing, damaged=True))
    assert adoptions(tmp_path, done.noted) == []


def test_parts_are_read_a_few_at_a_time(tmp_path: Path, parts: list[Part], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "BATCH", 2 * parts[0].bytes)
    assert [len(one.parts) for one in adoptions(tmp_path, parts)] == [2, 1]
