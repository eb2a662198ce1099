"""Commits that are wanted: a writer puts an intent down, and whoever has the turn makes all there are, in one catalog.

    intents/0f3a.intent   wanted
    intents/0f3a.123      made, as commit 123 or before
    intents/0f3a.stale    not made: its shards, or the parts it replaces, have gone another way
    intents/0f3a.broken   not made: it cannot be read, or parts of it are missing

An intent is not synced: nobody has been told yet that it was made, and after a power cut nobody waits for it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from logagg.errors import LakeError
from logagg.lake import durable
from logagg.lake.ownership import give
from logagg.lake.parts import Part, part_of
from logagg.lake.state import PendingCommit
from logagg.records import Delta, Fingerprint, Progress, Reject, Rejects, Source

FOLDER = "intents"
STALE, BROKEN = "stale", "broken"
_WANTED = "intent"
_FRAME = struct.Struct(
    "!6sBII"
)  # what it is, version, CRC-32 of all that follows, length of the header (JSON); then clicks
_MAGIC, _VERSION = b"intent", 1


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
    """Return an intent as bytes."""
    header = {
        "kind": intent.kind,
        "parts": [asdict(part) for part in intent.parts],
        "old": [asdict(part) for part in intent.old],
        "noted": [asdict(part) for part in intent.noted],
        "deltas": [_delta_fields(delta) for delta in intent.deltas],
        "sources": [asdict(source) for source in intent.sources],
        "shards": intent.shards,
    }
    text = json.dumps(header, default=datetime.isoformat).encode()
    body = text + (_stream(intent.clicks) if intent.clicks is not None else b"")
    return _FRAME.pack(_MAGIC, _VERSION, zlib.crc32(body), len(text)) + body


def unpack(data: bytes, where: Path) -> PendingCommit:
    """Return the intent that bytes hold. Raises LakeError."""
    try:
        magic, version, crc, length = _FRAME.unpack_from(data)
        body = memoryview(data)[_FRAME.size :]
        if (magic, version) != (_MAGIC, _VERSION) or zlib.crc32(body) != crc:
            raise ValueError("not whole")
        header, clicks = json.loads(bytes(body[:length])), body[length:]
        return PendingCommit(
            header["kind"],
            tuple(_part(where, one) for one in header["parts"]),
            tuple(_part(where, one) for one in header["old"]),
            tuple(map(_delta, header["deltas"])),
            tuple(Source(**one | {"head": Fingerprint(**one["head"])}) for one in header["sources"]),
            pa.ipc.open_stream(clicks).read_all() if clicks else None,
            header["shards"],
            tuple(_part(where, one) for one in header.get("noted", ())),
        )
    except (struct.error, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise LakeError(f"{where}: not an intent: {error}") from error


def _stream(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def _part(where: Path, row: Mapping[str, Any]) -> Part:
    times = {name: datetime.fromisoformat(row[name]) for name in ("min_ts", "max_ts")}
    return part_of(where, {**row, **times})


def _delta_fields(delta: Delta) -> dict[str, Any]:
    return {
        "shard": delta.shard,
        "progress": {source: asdict(one) for source, one in delta.progress.items()},
        "rejects": {
            source: [some.counts, list(map(_reject_fields, some.samples))] for source, some in delta.rejects.items()
        },
        "starts": delta.starts,
        "lines": delta.lines,
    }


def _delta(row: Mapping[str, Any]) -> Delta:  # a lake that 0.1 left in the middle of a commit says "mark"
    progress = {
        source: Progress(one["position"], one["lines"], Fingerprint(**(one.get("fingerprint") or one["mark"])))
        for source, one in row["progress"].items()
    }
    rejects = {source: Rejects(counts, tuple(map(_reject, some))) for source, (counts, some) in row["rejects"].items()}
    return Delta(row["shard"], {}, progress, rejects, None, row["starts"], row["lines"])


def _reject_fields(reject: Reject) -> list[Any]:
    return [reject.position, reject.reason, reject.line.decode("latin-1")]


def _reject(fields: list[Any]) -> Reject:
    position, reason, line = fields
    return Reject(position, reason, line.encode("latin-1"))
