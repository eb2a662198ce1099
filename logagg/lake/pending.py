"""Pending commits: each writer puts a file down, and the holder of the commit lock applies all of them in one catalog.

    pending/0f3a.pending  not applied yet
    pending/0f3a.123      applied, as commit 123 or before
    pending/0f3a.stale    not applied: its shards or parts have been changed by another commit
    pending/0f3a.broken   not applied: it cannot be read, or its parts are missing

The files are not synced: until a commit is confirmed, losing its file loses nothing, and after a power cut no writer
waits for it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from logagg import codec
from logagg.errors import LakeError
from logagg.lake import durable
from logagg.lake.ownership import give
from logagg.lake.parts import Part, part_of
from logagg.lake.state import PendingCommit
from logagg.lake.uncounted import Range
from logagg.lake.watermarks import Derived
from logagg.records import Delta

FOLDERS = "pending", "intents"  # where they are; where logagg 0.1.0 had them, which are no longer applied
STALE, BROKEN = "stale", "broken"
_UNAPPLIED = "pending"
# What it is, version, CRC-32 of all that follows, length of the header (JSON). The clicks follow, an Arrow stream.
_FRAME = struct.Struct("!6sBII")
_MAGIC, _VERSION = b"commit", 3


class PendingCommits:
    """The pending commits of a lake; the outcome of each is in its file's name."""

    def __init__(self, root: Path) -> None:
        self._folder, self._former_folder = (root / name for name in FOLDERS)

    def put(self, commit: PendingCommit) -> str:
        """Write a pending commit; return its name. Raises OSError."""
        durable.make_directory(self._folder)
        name = secrets.token_hex(8)
        draft = self._folder / f".{name}"
        try:
            draft.write_bytes(pack(commit))
            give(draft)
            draft.rename(self._path(name, _UNAPPLIED))
        except OSError:
            durable.remove([draft])
            raise
        return name

    def unapplied(self) -> Iterator[tuple[str, PendingCommit | None]]:
        """Yield the commits without an outcome, each with its name; None instead of one that cannot be read."""
        for path in sorted(self._folder.glob(f"*.{_UNAPPLIED}")):
            yield path.stem, _read(path)

    def any_unapplied(self) -> bool:
        """Tell whether there are commits without an outcome."""
        try:
            with os.scandir(self._folder) as entries:
                return any(entry.name.endswith(f".{_UNAPPLIED}") for entry in entries)
        except OSError:
            return False  # there was none yet

    def is_unapplied(self, name: str) -> bool:
        return self._path(name, _UNAPPLIED).exists()

    def record(self, name: str, outcome: str) -> None:
        """Record the outcome of a commit, for its writer. If the disk refuses, the next holder of the commit lock does it."""
        with contextlib.suppress(OSError):
            self._path(name, _UNAPPLIED).rename(self._path(name, outcome))

    def outcome(self, name: str) -> str | None:
        """Return the outcome of a commit, and forget it; None while there is none."""
        found = next(self._folder.glob(f"{name}.*"), None)
        if found is None or found.suffix[1:] == _UNAPPLIED:
            return None
        durable.remove([found])
        return found.suffix[1:]

    def clear(self) -> None:
        """Forget all pending commits: no other process writes the lake."""
        durable.remove(self._folder.glob("*"))
        durable.remove(self._former_folder.glob("*"))
        with contextlib.suppress(OSError):
            self._former_folder.rmdir()

    def withdraw(self, name: str) -> None:
        """Take a pending commit back."""
        durable.remove([self._path(name, _UNAPPLIED)])

    def _path(self, name: str, state: str) -> Path:
        return self._folder / f"{name}.{state}"


def _read(path: Path) -> PendingCommit | None:
    try:
        return unpack(path.read_bytes(), path)
    except (OSError, LakeError):
        return None


def pack(commit: PendingCommit) -> bytes:
    """Return a pending commit as bytes."""
    header = {
        "kind": commit.kind,
        "parts": [asdict(part) for part in commit.parts],
        "old": [asdict(part) for part in commit.old],
        "noted": [asdict(part) for part in commit.noted],
        "deltas": [_delta_fields(delta) for delta in commit.deltas],
        "sources": [asdict(source) for source in commit.sources],
        "shards": commit.shards,
        "since": commit.since,
        "rollup": commit.rollup,
        "filled": {source: [asdict(one) for one in ranges] for source, ranges in commit.filled.items()},
        "derived": None if commit.derived is None else asdict(commit.derived),
    }
    written = codec.write_header(header)
    body = written + (codec.stream_of(commit.clicks) if commit.clicks is not None else b"")
    return _FRAME.pack(_MAGIC, _VERSION, zlib.crc32(body), len(written)) + body


def unpack(data: bytes, where: Path) -> PendingCommit:
    """Return the pending commit that bytes hold. Raises LakeError."""
    with codec.failing_as(lambda reason: LakeError(f"{where}: not a pending commit: {reason}")):
        magic, version, crc, length = _FRAME.unpack_from(data)
        body = memoryview(data)[_FRAME.size :]
        if magic != _MAGIC or zlib.crc32(body) != crc:
            raise ValueError("not whole")
        if version != _VERSION:
            raise ValueError(f"of version {version}, this logagg reads {_VERSION}")
        header = codec.read_header(bytes(body[:length]))
        return PendingCommit(
            codec.text(header["kind"]),
            tuple(_part(where, one) for one in header["parts"]),
            tuple(_part(where, one) for one in header["old"]),
            tuple(map(_delta, header["deltas"])),
            tuple(map(codec.source, header["sources"])),
            _clicks(body[length:]),
            codec.number(header["shards"]),
            tuple(_part(where, one) for one in header["noted"]),
            None if header["since"] is None else codec.time(header["since"]),
            codec.text(header["rollup"]),
            {codec.text(source): tuple(map(_range, ranges)) for source, ranges in header["filled"].items()},
            _derived(header.get("derived")),
        )


def _clicks(stream: memoryview) -> pa.Table | None:
    if not stream:
        return None
    table = pa.ipc.open_stream(stream).read_all()
    table.validate(full=True)
    return table


def _part(where: Path, row: codec.Fields) -> Part:
    checked: dict[str, object] = {name: codec.text(row[name]) for name in ("rollup", "path", "level")}
    checked |= {name: codec.number(row[name]) for name in ("grain", "rows", "bytes")}
    checked |= {name: codec.time(row[name]) for name in ("min_ts", "max_ts")}
    return part_of(where, {**checked, "damaged": codec.flag(row["damaged"]), "lacks": codec.text(row["lacks"])})


def _derived(row: codec.Fields | None) -> Derived | None:
    if row is None:
        return None
    since, until = codec.time(row["since"]), codec.time(row["until"])
    return Derived(codec.text(row["name"]), since, until, tuple(map(codec.text, row["read"])))


def _range(row: codec.Fields) -> Range:
    return Range(*(codec.number(row[name]) for name in ("start", "end", "shards", "shard")))


def _delta_fields(delta: Delta) -> dict[str, Any]:
    return {
        "shard": delta.shard,
        "progress": {source: asdict(one) for source, one in delta.progress.items()},
        "rejects": {source: codec.fields_of_rejects(some) for source, some in delta.rejects.items()},
        "starts": delta.starts,
        "lines": delta.lines,
        "not_kept": delta.not_kept,
        "counted": list(delta.counted),
        "newest": delta.newest,
    }


def _delta(row: codec.Fields) -> Delta:
    progress = {source: codec.progress(one) for source, one in row["progress"].items()}
    rejects = {source: codec.rejects(one) for source, one in row["rejects"].items()}
    starts = {source: codec.number(position) for source, position in row["starts"].items()}
    if not starts.keys() <= progress.keys():
        raise ValueError("a delta that starts from sources of which it says no end")
    newest = {source: codec.instant(micros) for source, micros in row.get("newest", {}).items()}
    shard, lines, not_kept = (codec.number(row[name]) for name in ("shard", "lines", "not_kept"))
    counted = tuple(map(codec.text, row["counted"]))
    return Delta(shard, {}, progress, rejects, None, starts, lines, None, not_kept, counted, newest)
