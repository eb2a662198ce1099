"""Each guard is needed: with it the totals are right, without it they are wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
import pytest

from logagg.clock import ManualClock
from logagg.config.sections import Config
from logagg.intake.reader import Reader
from logagg.intake.tail import Tailer
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint, Job
from logagg.rollup.definitions import DEFAULTS
from logagg.rollup.shard import Gap, Shard, ShardSettings
from logagg.sharding import shard_jobs
from tests.conftest import combined

OLD = combined([(f"/old/{number}", 200) for number in range(20)])
NEW = combined([(f"/new/{number}", 200) for number in range(50)])
_MARK = Fingerprint(0, 0, "")


@pytest.fixture
def tailer(tmp_path: Path) -> Iterator[Tailer]:
    (tmp_path / "access.log").write_text(OLD)
    tailer = Tailer([str(tmp_path)], clock=ManualClock(time.time()), notice=lambda *_: None)
    yield tailer
    tailer.close()


def read_truncated_and_regrown(tailer: Tailer, log: Path) -> bytes:
    """Return the chunks read from a log that is truncated, and has grown beyond its old size at the next look."""
    assert b"".join(chunk.data for chunk in tailer.poll()) == OLD.encode()
    log.write_text(NEW)
    return b"".join(chunk.data for chunk in tailer.poll())


def test_with_the_digest_of_the_bytes_read_a_truncation_is_detected(tailer: Tailer, tmp_path: Path) -> None:
    assert read_truncated_and_regrown(tailer, tmp_path / "access.log") == NEW.encode()


def test_without_the_digest_lines_are_lost_and_torn(
    tailer: Tailer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "is_intact", lambda self: True)
    found = read_truncated_and_regrown(tailer, tmp_path / "access.log")
    assert found == NEW.encode()[len(OLD) :]
    assert found.count(b"\n") < 50


class Unguarded(Shard):
    """A shard that accepts every job."""

    def absorb(self, job: Job) -> bool:
        self._advance(job, job.start, 0)
        self._take(job)
        return True


def jobs(lines: str, chunk_lines: int = 10) -> list[Job]:
    """Return the jobs of a log for one shard."""
    fmt, classifier = compile_format("combined"), Classifier.of(Config(), b"secret" * 6)
    found, start = [], 0
    whole = lines.encode().splitlines(keepends=True)
    for first in range(0, len(whole), chunk_lines):
        data = b"".join(whole[first : first + chunk_lines])
        chunk = Chunk("source", 0, start, start + len(data), data, _MARK)
        batch = fast.parse(chunk, fmt, 1_800_000_000.0)
        found += shard_jobs(chunk, classifier.classify(batch.table), batch.rejects, 1)
        start = chunk.end
    return found


def hits_after(shard: Shard, sent: list[Job]) -> int:
    for job in sent:
        shard.absorb(job)
    traffic = shard.drain().rollups["traffic"]
    shard.close()
    return int(pc.sum(traffic["hits"]).as_py())


def test_with_positions_a_job_counts_once_however_often_it_comes() -> None:
    once = jobs(NEW)
    again = [once[0], once[1], once[0], once[1], once[2], *once]
    assert hits_after(Shard(0, ShardSettings(DEFAULTS)), again) == 50
    assert hits_after(Unguarded(0, ShardSettings(DEFAULTS)), again) == 100


def test_with_positions_a_missing_job_is_noticed() -> None:
    first, _, third, *_ = jobs(NEW)
    guarded = Shard(0, ShardSettings(DEFAULTS))
    guarded.absorb(first)
    with pytest.raises(Gap):
        guarded.absorb(third)
    guarded.close()
    assert hits_after(Unguarded(0, ShardSettings(DEFAULTS)), [first, third]) == 20
