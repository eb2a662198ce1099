"""The jobs of a chunk with any lines are within the bounds of the worker, or the tail itself refuses them."""

from __future__ import annotations

import random

import pytest

from logagg.cluster import protocol, remote
from logagg.cluster.bounds import SPREAD, chunk_bytes, job_bytes, message_bytes
from logagg.config.sections import Config
from logagg.errors import ClusterError
from logagg.intake.registry import new_source
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint

NOW = 1_772_410_000.0
SIZE = 200_000
RUN = remote.Session("web1", 1, "run", 1, 1 << 30)


def noise(random_: random.Random, length: int) -> bytes:
    return bytes(random_.choice(range(128, 256)) for _ in range(length))


def words(random_: random.Random, length: int) -> bytes:
    return bytes(random_.choice(b"abcdefghijklmnopqrstuvwxyz/") for _ in range(length))


def shortest(number: int, _: random.Random) -> bytes:
    return b"%d 200 /" % (NOW - number % 1000)


def short_and_distinct(number: int, _: random.Random) -> bytes:
    return b"%d 200 /%x" % (NOW - number % 1000, number)


def request(number: int, random_: random.Random, text: bytes) -> bytes:
    return b'%s - - [02/Mar/2026:00:%02d:00 +0000] "GET /%s HTTP/1.1" 200 1 "http://%s/%s" "%s"' % (
        text[:8].replace(b"/", b"x"),
        number % 60,
        text,
        text[:8],
        text,
        text,
    )


LOGS = {
    "the shortest lines": ("$msec $status $uri", shortest),
    "short and distinct": ("$msec $status $uri", short_and_distinct),
    "distinct words": ("combined", lambda number, random_: request(number, random_, words(random_, 9))),
    "invalid UTF-8": ("combined", lambda number, random_: request(number, random_, noise(random_, 12))),
    "long and distinct": ("combined", lambda number, random_: request(number, random_, noise(random_, 250))),
}


def packed(name: str, run: remote.Session) -> tuple[int, remote.PackedChunk]:
    fmt, line = LOGS[name]
    random_, lines, size = random.Random(1), list[bytes](), 0
    while size < SIZE:
        lines.append(line(len(lines), random_) + b"\n")
        size += len(lines[-1])
    chunk = Chunk("id", 0, 0, size, b"".join(lines), Fingerprint.blank(size))
    batch = fast.parse(chunk, compile_format(fmt), NOW, 1 << 20)
    events = Classifier.of(Config(), b"s" * 32).classify(batch.table)
    assert events.num_rows == len(lines)
    batch = type(batch)(events, batch.rejects)
    return size, remote.pack(run, chunk, batch, new_source("a.log"))


@pytest.mark.parametrize("name", LOGS)
def test_a_chunk_takes_no_more_than_its_share(name: str) -> None:
    size, found = packed(name, RUN)
    [(_, pending_job)] = found.pending
    job = protocol.opened(pending_job.data).size
    assert job <= SPREAD * size, f"{job / size:.1f} times"
    assert len(pending_job.data) <= message_bytes(SPREAD * size)


def test_a_job_beyond_the_bound_is_an_error_with_a_remedy() -> None:
    with pytest.raises(
        ClusterError,
        match="is more than the workers take; give the workers more --memory, or this tail a smaller tail.chunk",
    ):
        packed("distinct words", remote.Session("web1", 1, "run", 1, SIZE // 2))


def test_the_default_bounds_allow_the_default_chunk() -> None:
    config = Config().tail
    assert chunk_bytes(job_bytes(config.memory)) >= config.chunk
    assert job_bytes(1) == 16 << 20
