"""Commits that are wanted: a writer puts an intent down, and whoever has the turn makes all there are, in one catalog.

    intents/0f3a.intent   wanted
    intents/0f3a.123      made, as commit 123 or before
    intents/0f3a.stale    not made: its shards, or the parts it replaces, have gone another way
    intents/0f3a.broken   not made: it cannot be read, or parts of it are missing

An intent is not synced: nobody has been told yet that it was made, and after a power cut nobody waits for it.
"""

from __future__ import annotations

import contextlib
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
from logagg.records import Delta, Reject, Rejects

FOLDER = "intents"
STALE, BROKEN = "stale", "broken"
_WANTED = "intent"
# What it is, version, CRC-32 of all that follows, length of the header (JSON). The clicks follow, an Arrow stream.
_FRAME = struct.Struct("!6sBII")
_MAGIC, _VERSION, _OLD_VERSION = b"intent", 2, 1


class PendingCommits:
    """The intents of a lake; what becomes of them is written in their names."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def put(self, intent: PendingCommit) -> str:
        """Put an intent down; return its name. Raises OSError."""
        durable.make_directory(self._folder)
        name = secrets.token_hex(8)
        draft = self._folder / f".{name}"
        try:
            draft.write_bytes(pack(intent))
            give(draft)
            draft.rename(self._path(name, _WANTED))
        except OSError:
            durable.remove([draft])
            raise
        return name

    def wanted(self) -> Iterator[tuple[str, PendingCommit | None]]:
        """Return the names of what is wanted, each with the intent; None where it cannot be read."""
        for path in sorted(self._folder.glob(f"*.{_WANTED}")):
            yield path.stem, _read(path)

    def is_wanted(self, name: str) -> bool:
        return self._path(name, _WANTED).exists()

    def settle(self, name: str, outcome: str) -> None:
        """Say what has become of an intent, for its writer; where the disk refuses, the next one who has the turn does."""
        with contextlib.suppress(OSError):
            self._path(name, _WANTED).rename(self._path(name, outcome))

    def outcome(self, name: str) -> str | None:
        """Return what has become of an intent, and forget it; None where nobody has said so."""
        found = next(self._folder.glob(f"{name}.*"), None)
        if found is None or found.suffix[1:] == _WANTED:
            return None
        durable.remove([found])
        return found.suffix[1:]

    def clear(self) -> None:
        """Forget all intents: nobody else writes the lake."""
        durable.remove(self._folder.glob("*"))

    def withdraw(self, name: str) -> None:
        """Take an intent back."""
        durable.remove([self._path(name, _WANTED)])

    def _path(self, name: str, state: str) -> Path:
        return self._folder / f"{name}.{state}"


def _read(path: Path) -> PendingCommit | None:
    try:
        return unpack(path.read_bytes(), path)
    except (OSError, LakeError):
        return None


def pack(intent: PendingCommit) -> bytes:
    """Return a pending commit as bytes."""
    header = {
        "kind": intent.kind,
        "parts": [asdict(part) for part in intent.parts],
        "old": [asdict(part) for part in intent.old],
        "noted": [asdict(part) for part in intent.noted],
        "deltas": [_delta_fields(delta) for delta in intent.deltas],
        "sources": [asdict(source) for source in intent.sources],
        "shards": intent.shards,
    }
    written = codec.write_header(header)
    body = written + (codec.stream_of(intent.clicks) if intent.clicks is not None else b"")
    return _FRAME.pack(_MAGIC, _VERSION, zlib.crc32(body), len(written)) + body


def unpack(data: bytes, where: Path) -> PendingCommit:
    """Return the pending commit that bytes hold. Raises LakeError."""
    with codec.failing_as(lambda reason: LakeError(f"{where}: not a pending commit: {reason}")):
        magic, version, crc, length = _FRAME.unpack_from(data)
        body = memoryview(data)[_FRAME.size :]
        if magic != _MAGIC or zlib.crc32(body) != crc:
            raise ValueError("not whole")
        if version not in (_VERSION, _OLD_VERSION):
            raise ValueError(f"of version {version}, this logagg reads {_VERSION}")
        header = codec.read_header(bytes(body[:length]))
        deltas = header["deltas"] if version == _VERSION else map(_delta_of_version_1, header["deltas"])
        return PendingCommit(
            codec.text(header["kind"]),
            tuple(_part(where, one) for one in header["parts"]),
            tuple(_part(where, one) for one in header["old"]),
            tuple(map(_delta, deltas)),
            tuple(map(codec.source, header["sources"])),
            _clicks(body[length:]),
            codec.number(header["shards"]),
            tuple(_part(where, one) for one in header.get("noted", ())),
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
    return part_of(where, {**checked, "damaged": codec.flag(row.get("damaged", False))})


def _delta_fields(delta: Delta) -> dict[str, Any]:
    return {
        "shard": delta.shard,
        "progress": {source: asdict(one) for source, one in delta.progress.items()},
        "rejects": {source: codec.fields_of_rejects(some) for source, some in delta.rejects.items()},
        "starts": delta.starts,
        "lines": delta.lines,
    }


def _delta(row: codec.Fields) -> Delta:
    progress = {source: codec.progress(one) for source, one in row["progress"].items()}
    rejects = {source: codec.rejects(one) for source, one in row["rejects"].items()}
    starts = {source: codec.number(position) for source, position in row["starts"].items()}
    if not starts.keys() <= progress.keys():
        raise ValueError("a delta that starts from sources of which it says no end")
    return Delta(codec.number(row["shard"]), {}, progress, rejects, None, starts, codec.number(row["lines"]))


def _delta_of_version_1(row: codec.Fields) -> codec.Fields:
    """Return the fields of a delta as they are now: lines were Latin-1, and 0.1 said "mark" for a fingerprint."""
    progress = {
        source: {**one, "fingerprint": one.get("fingerprint") or one["mark"]} for source, one in row["progress"].items()
    }
    rejects = {source: codec.fields_of_rejects(_rejects_of_version_1(*some)) for source, some in row["rejects"].items()}
    return {**row, "progress": progress, "rejects": rejects}


def _rejects_of_version_1(counts: dict[str, int], samples: list[list[Any]]) -> Rejects:
    return Rejects(
        counts, tuple(Reject(position, reason, line.encode("latin-1")) for position, reason, line in samples)
    )
