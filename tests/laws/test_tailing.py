"""Every line that was written is read once, for any sequence of events of the files.

A model is driven beside the real tailer and real files: whole lines and parts of lines, rotation with a writer that is
slow to follow, compression, deletion, copying and truncating, elapsing time, and crashes that undo uncommitted reads.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from logagg.clock import ManualClock
from logagg.intake.tail import Tailer
from logagg.parse_pool.child import BufferPool
from logagg.records import Chunk, KnownSource, Progress

MAX_LINE = 300
PADDING = st.sampled_from([0, 1, 30, 120])


class Tailing(RuleBasedStateMachine):
    @initialize(chunk=st.sampled_from([50, 64, 200, 1 << 16]))
    def begin(self, chunk: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tailing-"))
        self.live = self.folder / "access.log"
        self.writer: BinaryIO = self.live.open("ab", buffering=0)
        self.slow: BinaryIO | None = None  # the file that was rotated last, while the writer still uses it
        self.rest = b""  # the missing rest of a half-written line
        self.written = self.longest = self.too_long = self.nul_bytes = 0
        self.clock, self.chunk = ManualClock(time.time()), chunk
        self.read: dict[str, list[Chunk]] = {}  # chunks that are read but not committed
        self.committed: dict[str, KnownSource] = {}
        self.counted: list[bytes] = []
        self.start()

    # actions of the log's writer

    @rule(padding=PADDING, count=st.integers(1, 5))
    def write(self, padding: int, count: int) -> None:
        self._write(self._finished() + b"".join(self._line(padding) for _ in range(count)))

    @rule(padding=PADDING, cut=st.integers(1, 8))
    def write_part(self, padding: int, cut: int) -> None:
        line = self._finished() + self._line(padding)
        self._write(line[:-cut])
        self.rest = line[-cut:]

    @rule(length=st.integers(MAX_LINE + 1, 5 * MAX_LINE), cut=st.integers(1, 3000))
    def write_too_long(self, length: int, cut: int) -> None:
        self.longest += 1
        line = self._finished() + b"long %d %s\n" % (self.longest, b"x" * length)  # unlike any other line here
        self._write(line[:-cut])
        self.rest = line[-cut:]
        self.too_long += 1

    @precondition(lambda self: not self.rest)
    @rule(count=st.integers(1, 500))
    def write_hole(self, count: int) -> None:
        self._write(bytes(count) + self._line(0))
        self.nul_bytes += count

    @rule()
    def rotate(self) -> None:
        self.follow_rotation()
        for age in range(30, 0, -1):
            for suffix in ("", ".gz"):
                if (old := self.folder / f"access.log.{age}{suffix}").exists():
                    old.rename(self.folder / f"access.log.{age + 1}{suffix}")
        self.live.rename(self.folder / "access.log.1")
        self.slow, self.writer = self.writer, self.live.open("ab", buffering=0)

    @rule()
    def follow_rotation(self) -> None:
        if self.slow:
            self._write(self._finished())
            self.slow.close()
            self.slow = None

    @precondition(lambda self: not self.slow)
    @rule()
    def compress(self) -> None:
        if plain := self._rotated(".*[0-9]"):
            with plain[-1].open("rb") as source, gzip.open(f"{plain[-1]}.gz", "wb") as target:
                shutil.copyfileobj(source, target)
            plain[-1].unlink()

    @precondition(lambda self: not self.slow)
    @rule()
    def delete_the_oldest(self) -> None:
        self.poll()
        self.commit()
        if rotated := self._rotated(""):
            rotated[-1].unlink()

    @precondition(lambda self: not self.slow and not any(self.folder.glob("access.log.1*")))
    @rule(looks_between=st.booleans())
    def copy_and_truncate(self, looks_between: bool) -> None:
        self._write(self._finished())
        self.poll()  # lines that are unread at the truncation would be lost
        shutil.copyfile(self.live, self.folder / "access.log.1")
        if looks_between:
            self.poll()
        self.writer.truncate(0)

    # actions of the tail

    def start(self) -> None:
        self.tailer = Tailer(
            [str(self.folder)] if any(self.folder.glob("access.log*")) else [],
            list(self.committed.values()),
            chunk_bytes=self.chunk,
            max_line=MAX_LINE,
            take_buffer=BufferPool(3, self.chunk).take,  # fewer buffers than there are chunks between two commits
            clock=self.clock,
            notice=lambda notice: None,
        )

    @rule()
    def poll(self) -> None:
        os.utime(self.folder, (self.clock.now(), self.clock.now()))
        for chunk in self.tailer.poll():
            before = self.read.setdefault(chunk.source, [])
            expected = before[-1].end if before else self._resumes_at(chunk.source)
            assert chunk.start == expected, "no byte is skipped or read twice"
            assert chunk.skipped + len(chunk.data) == chunk.end - chunk.start
            assert bytes(chunk.data).endswith(b"\n") if chunk.data else chunk.skipped
            before.append(chunk)

    @rule()
    def commit(self) -> None:
        sources = {source.id: source for source in self.tailer.sources()}
        for id_, chunks in self.read.items():
            lines = b"".join(chunk.data for chunk in chunks).splitlines()
            whole = [line for line in lines if len(line) <= MAX_LINE]  # the parser rejects longer ones
            self.counted += whole
            self.too_long -= len(lines) - len(whole) + sum(chunk.too_long for chunk in chunks)
            self.nul_bytes -= sum(chunk.skipped for chunk in chunks if not chunk.too_long)
            self.committed[id_] = KnownSource(sources[id_], {0: Progress(chunks[-1].end, 0, chunks[-1].fingerprint)})
        for id_, known in self.committed.items():
            self.committed[id_] = KnownSource(sources[id_], known.progress)
        self.read = {}

    @rule()
    def crash(self) -> None:
        self.tailer.close()
        self.read = {}
        self.start()

    @precondition(lambda self: not self.rest)
    @rule(seconds=st.sampled_from([1, 31, 100]))
    def wait(self, seconds: int) -> None:
        self.clock.sleep(seconds)

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        self.follow_rotation()
        self._write(self._finished())
        self.writer.close()
        for _ in range(2):
            self.poll()
        self.commit()
        self.tailer.close()
        shutil.rmtree(self.folder)
        counts = Counter(int(found[1]) for line in self.counted if (found := re.fullmatch(rb"line (\d+) x*", line)))
        assert len(self.counted) == counts.total(), "no line was torn"
        assert counts == Counter(range(self.written))
        assert (self.too_long, self.nul_bytes) == (0, 0), "each is counted once"

    def _line(self, padding: int) -> bytes:
        self.written += 1
        return b"line %d %s\n" % (self.written - 1, b"x" * padding)

    def _finished(self) -> bytes:
        rest, self.rest = self.rest, b""
        return rest

    def _write(self, data: bytes) -> None:
        """Write with the time of the manual clock."""
        writer = self.slow or self.writer
        if data:
            writer.write(data)
            os.utime(writer.fileno(), (self.clock.now(), self.clock.now()))

    def _rotated(self, ending: str) -> list[Path]:
        """Return the rotations, the youngest first."""
        rotated = [path for path in self.folder.glob("access.log.*") if re.fullmatch(ending or ".*", path.name)]
        return sorted(rotated, key=lambda path: int(path.name.split(".")[2]))

    def _resumes_at(self, source: str) -> int:
        return self.committed[source].resume.position if source in self.committed else 0


Tailing.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestTailing = Tailing.TestCase
