"""A pending commit is read back unchanged; a truncated or changed file is refused with one line."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.errors import LakeError
from logagg.lake import pending
from logagg.lake.parts import FLUSH, Part
from logagg.lake.state import BACKFILL, PendingCommit
from logagg.lake.uncounted import Range
from logagg.records import Delta, Fingerprint, Progress, Reject, Rejects, Source

WHERE = Path("lake/pending/x.pending")
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
PART = Part("traffic", "data/traffic/flush-1.parquet", FLUSH, 60, 3, 1000, AT, AT)
SOURCE = Source("s1", "/logs/a.log", (1 << 64) - 1, 7, Fingerprint(4, 4, "ab"), modified=-1.5, gone=9e12, tailer="web1")
DELTA = Delta(
    2,
    {},
    {"s1": Progress(90, 3, Fingerprint(90, 8, "cd"))},
    {"s1": Rejects({"format": 2}, (Reject(5, "format", bytes(range(256))),))},
    None,
    {"s1": 40},
    3,
)
COMMIT = PendingCommit(FLUSH, (PART,), (), (DELTA,), (SOURCE,), pa.table({"visitor": [1, 2]}), 4, (PART,))
HEADER = struct.Struct("!6sBII")


def framed(header: object, version: int = 3, clicks: bytes = b"") -> bytes:
    written = json.dumps(header).encode()
    return HEADER.pack(b"commit", version, zlib.crc32(written + clicks), len(written)) + written + clicks


def header_of(commit: PendingCommit) -> dict[str, Any]:
    packed = pending.pack(commit)
    found = json.loads(packed[HEADER.size : HEADER.size + HEADER.unpack_from(packed)[3]])
    assert isinstance(found, dict)
    return found


def test_a_pending_commit_is_read_back_unchanged() -> None:
    assert pending.unpack(pending.pack(COMMIT), WHERE) == COMMIT
    bare = replace(COMMIT, clicks=None, deltas=(), kind="compact", old=(PART,))
    assert pending.unpack(pending.pack(bare), WHERE) == bare
    filled = {"s1": (Range(0, 90), Range(90, 95, 3, 2)), "s2": (Range(7, 8),)}
    backfill = PendingCommit(BACKFILL, (PART,), rollup="traffic", filled=filled)
    assert pending.unpack(pending.pack(backfill), WHERE) == backfill


def test_those_of_the_first_release_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "intents").mkdir()
    (tmp_path / "intents/x.intent").write_bytes(pending.pack(COMMIT))
    commits = pending.PendingCommits(tmp_path)
    assert [*commits.unapplied()] == []
    commits.clear()
    assert [*tmp_path.iterdir()] == []


def test_a_pending_commit_of_a_later_version_is_refused() -> None:
    with pytest.raises(LakeError, match=r"x\.pending: not a pending commit: of version 4, this logagg reads 3"):
        pending.unpack(framed(header_of(COMMIT), 4), WHERE)


@given(st.integers(0, len(pending.pack(COMMIT)) - 1), st.integers(1, 255))
def test_a_truncated_or_changed_file_is_refused(place: int, change: int) -> None:
    packed = bytearray(pending.pack(COMMIT))
    with pytest.raises(LakeError, match="not a pending commit"):
        pending.unpack(bytes(packed[:place]), WHERE)
    if place not in (6, *range(11, 15)):  # the version and the length of the header, which no checksum covers
        packed[place] ^= change
        with pytest.raises(LakeError, match="not a pending commit"):
            pending.unpack(bytes(packed), WHERE)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 1 << 70), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@given(st.data())
def test_an_invented_file_is_read_or_refused(data: st.DataObject) -> None:
    header = header_of(COMMIT)
    place: Any = header
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not (isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    try:
        found = pending.unpack(framed(header), WHERE)
    except LakeError as error:
        assert "\n" not in str(error)
        return
    assert pending.unpack(pending.pack(found), WHERE) is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shards": -1}, "-1 where a number should be"),
        ({"parts": [{}]}, "lacks 'rollup'"),
        ({"sources": [{"id": 7}]}, "7 where a text should be"),
        ({"old": [{"rollup": "r", "path": "../x", "level": "l", "grain": 1, "rows": 1, "bytes": 1,
                   "min_ts": AT.isoformat(), "max_ts": AT.isoformat(), "damaged": False, "lacks": ""}]}, "not a file of this lake"),
    ],
)  # fmt: skip
def test_an_impossible_value_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(LakeError, match=message):
        pending.unpack(framed(header_of(COMMIT) | change), WHERE)
