"""The records that flow through the stages, in this order.

    Chunk ──▶ Batch ──▶ Job ──▶ Delta ──▶ (a commit)

They are immutable and identified by their origin, `(source, start, end)`, never by their content, since equal lines are
legal and common.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

SAMPLES = 20  # rejects kept of one chunk, and of one source between two flushes
SAMPLE_BYTES = 512  # kept of a rejected line


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Proof of content: the digest of the `length` bytes of a source that end at `position`."""

    position: int
    length: int
    digest: str

    @classmethod
    def blank(cls, position: int) -> Fingerprint:
        """Return a fingerprint of zero bytes, which any content matches."""
        return cls(position, 0, hashlib.blake2b(digest_size=16).hexdigest())


@dataclass(frozen=True, slots=True)
class Source:
    """One generation of a log file; its identity survives rename, rotation and compression."""

    id: str
    path: str  # its last known path
    device: int
    inode: int
    head: Fingerprint  # its first bytes: head.position == head.length
    compression: str = ""  # "", "gz", "bz2", "xz" or "zst"
    size: int = 0  # bytes on disk when last looked at
    modified: float = 0.0  # seconds since the epoch
    finished: bool = False  # rotated away and read to its end
    format: str = ""  # the log format, as a name or a string
    note: str = ""  # an event that may have lost lines, e.g. "truncated"
    nul_bytes: int = 0  # skipped where a line should have begun
    gone: float = 0.0  # when its file was found missing, in seconds since the epoch; 0: the file exists
    tailer: str = ""  # the tailer that reads it, in a cluster: inodes are unique on one machine only
    origin: int = 0  # where reading began: 0, or its size with `--from end`
    site: str = ""  # of lines that do not name their site, where a `[[log]]` says it


@dataclass(frozen=True, slots=True)
class Progress:
    """The position of one shard in one source."""

    position: int  # decompressed bytes, just after a newline
    lines: int  # lines of this source that became events or rejects in this shard
    fingerprint: Fingerprint  # the bytes before `position`


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source in the lake, and where to resume it."""

    source: Source
    progress: Mapping[int, Progress]  # by shard; never empty

    @property
    def resume(self) -> Progress:
        """The least progress of all shards: every shard has committed the bytes before it."""
        return min(self.progress.values(), key=lambda progress: progress.position)

    @property
    def furthest(self) -> Progress:
        """The most progress of any shard: all bytes before it were read, so a file that contains them belongs to the source."""
        return max(self.progress.values(), key=lambda progress: progress.position)

    @property
    def stops(self) -> tuple[int, ...]:
        """Positions that a chunk must not span, so that every shard takes or drops a chunk as a whole."""
        return tuple(sorted({progress.position for progress in self.progress.values()}))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Line-aligned bytes `[start, end)` of one source.

    `data` holds the bytes `[start + skipped, end)`. Skipped bytes are a hole of NULs, or a line over the length limit
    (then `too_long` is 1 and the line counts as a reject).
    """

    source: str
    origin: int  # where reading of this source began: 0, or its size with `--from end`
    start: int
    end: int
    data: bytes | memoryview
    fingerprint: Fingerprint  # at `end`
    skipped: int = 0
    too_long: int = 0


@dataclass(frozen=True, slots=True)
class Reject:
    """One line that did not parse, kept as a sample."""

    position: int  # of the line's first byte in its source
    reason: str
    line: bytes  # its first bytes, bounded


@dataclass(frozen=True, slots=True)
class Rejects:
    """The lines of a chunk that did not parse: all counted, some kept."""

    counts: Mapping[str, int] = field(default_factory=dict)  # by reason
    samples: tuple[Reject, ...] = ()

    @property
    def lines(self) -> int:
        return sum(self.counts.values())

    def __add__(self, other: Rejects) -> Rejects:
        """Return the rejects of two parts of a chunk."""
        counts = {reason: self.counts.get(reason, 0) + count for reason, count in other.counts.items()}
        return Rejects({**self.counts, **counts}, (*self.samples, *other.samples)[:SAMPLES])


@dataclass(frozen=True, slots=True)
class Batch:
    """The lines of a chunk as typed columns (`parse.schemas.BATCH_SCHEMA`), and its rejects."""

    table: pa.Table
    rejects: Rejects
    formats: tuple[str, ...] = ()  # of its lines, which were not known before


@dataclass(frozen=True, slots=True)
class Job:
    """The events of one chunk that belong to one shard: the unit of transport."""

    shard: int
    source: str
    origin: int
    start: int
    end: int
    fingerprint: Fingerprint  # at `end`
    events: pa.Table  # `parse.schemas.EVENT_SCHEMA`
    rejects: Rejects  # the rejects of the chunk that this shard counts


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows as a whole Parquet file in memory; those written together are in the order of their times."""

    data: bytes
    rows: int
    first: int  # microseconds since the epoch
    last: int


@dataclass(frozen=True, slots=True)
class Delta:
    """The contribution of one shard to a commit: its rollups since its last flush, and its progress."""

    shard: int
    rollups: Mapping[str, pa.Table]  # by rollup name: rows (`rollup.aggregate`); rollups without rows are absent
    progress: Mapping[str, Progress]  # by source; all that changed since the last flush
    rejects: Mapping[str, Rejects]  # by source
    clicks: pa.Table | None = None  # the key state, whole: recent clicks (`rollup.clicks.STATE_SCHEMA`)
    starts: Mapping[str, int] = field(default_factory=dict)  # by source: the positions that this delta continues from
    lines: int = 0  # absorbed
    requests: EncodedRows | None = None  # the single events (`rollup.requests`)
    not_kept: int = 0  # where requests are switched off: the newest time of an event, in microseconds
    counted: tuple[str, ...] = ()  # the rollups that count its events
    newest: Mapping[str, int] = field(default_factory=dict)  # by source: the newest time of its events, in microseconds
