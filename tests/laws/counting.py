"""The stages from a chunk to the rows of the rollups, and the number of lines that the rows must account for."""

from __future__ import annotations

from logagg.config.sections import Config
from logagg.parse.events.addresses import without_addresses
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import Format
from logagg.parse.lines import fast
from logagg.parse.lines.headers import is_comment
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import Chunk, Fingerprint
from logagg.rollup.definitions import DEFAULTS
from logagg.rollup.shard import Shard, ShardSettings
from logagg.sharding import shard_jobs
from tests.laws.any_log import NOW

SECRET, DEFAULT = bytes(range(32)), Config()


def lines_of(data: bytes, fmt: Format | None = None) -> int:
    """Count the lines that are neither blank nor comments of the format."""
    lines = [line.rstrip(b"\r").lstrip(b"\0") for line in data.split(b"\n")]
    return sum(bool(line.strip(b" \t\r")) and not (fmt and is_comment(line, fmt)) for line in lines)


def count(data: bytes, format_: str | object, config: Config = DEFAULT) -> int:
    """Send bytes through all stages, to the rows of the rollups; return hits + rejects."""
    fmt = compile_format(format_) if isinstance(format_, str) else format_
    chunk = Chunk("s", 0, 0, len(data), data, Fingerprint(len(data), 0, ""))
    batch = fast.parse(chunk, fmt, NOW)  # type: ignore[arg-type]
    events = Classifier.of(config, SECRET, lambda end: SECRET).classify(batch.table)
    assert events.schema == EVENT_SCHEMA
    without_addresses(batch.rejects)
    shard = Shard(0, ShardSettings(DEFAULTS))
    for job in shard_jobs(chunk, events, batch.rejects, 1):
        shard.absorb(job)
    delta = shard.drain()
    shard.close()
    hits = sum(delta.rollups["traffic"]["hits"].to_pylist()) if "traffic" in delta.rollups else 0
    return int(hits) + sum(rejects.lines for rejects in delta.rejects.values())
