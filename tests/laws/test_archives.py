"""Every line counts once, whatever the names, directories and compression of archives.

A model of a log whose generations are renamed, compressed, moved and copied under names drawn at random, beside the real
tailer and real files. Each generation is long enough for a full fingerprint, so that no name is needed to recognise it.
Archives are made at once, or piece by piece, while looks, crashes and pauses happen in between. Two shards commit by
themselves, so that one may be ahead of the other, or have the newer record of a source.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
import string
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import zstandard
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from logagg.clock import ManualClock
from logagg.intake.tail import Tailer
from logagg.records import Chunk, KnownSource, Progress, Source
from logagg.sharding import of_all_shards

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
    "": bytes,
}
WORDS = st.text(string.ascii_letters + string.digits + "-_.:@ ", min_size=1, max_size=12).filter(
    lambda word: word.strip(". ")
)
NAMES = st.one_of(
    WORDS.map("access.log.{}".format),
    WORDS.map("{}-access.log".format),
    WORDS.map("access{}.log".format),
    st.integers(0, 10**6).map("access.log.{}".format),
    st.integers(10**9, 2 * 10**9).map("access.log-20261129-{}".format),
    st.dates().map("access-{:%Y-%m-%d}.log".format),
    st.sampled_from(["Sun", "Mon", "202611", "2026-W48", "bak", "old", "2026-11-29T00-00-00.000"]).map(
        "access_log.{}".format
    ),
)
FOLDERS = st.sampled_from(["logs", "old"])
PIECES = st.lists(st.tuples(st.floats(0, 0.99), st.sampled_from(["poll", "crash", "pause"])), max_size=4)
SHARDS = 2
FINGERPRINT_LINES = 12  # that are as long as a fingerprint: less would have to be known by its name
PLAIN = 1 << 11  # bytes that a plain copy has, at least: one that is shorter than a fingerprint is a log of its own


class Archives(RuleBasedStateMachine):
    @initialize(chunk=st.sampled_from([200, 1 << 16]))
    def begin(self, chunk: int) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="archives-"))
        for folder in ("logs", "old"):
            (self.root / folder).mkdir()
        self.live = self.root / "logs" / "access.log"
        self.live.touch()
        self.archives: list[Path] = []
        self.copies: list[Path] = []
        self.written, self.chunk, self.clock = 0, chunk, ManualClock(time.time())
        self.read: dict[str, list[Chunk]] = {}  # in this run
        self.committed: dict[str, dict[int, Progress]] = {}  # by source and shard
        self.records: dict[str, Source] = {}
        self.counted: list[list[bytes]] = [[] for _ in range(SHARDS)]
        self.start()

    # events of the files

    @rule(count=st.integers(1, 30))
    def write(self, count: int) -> None:
        with self.live.open("ab") as log:
            for _ in range(count if self.live.stat().st_size else count + FINGERPRINT_LINES):
                log.write(
                    b"line %d of a log that is long enough to be known by what it holds %s\n"
                    % (self.written, b"x" * 40)
                )
                self.written += 1
        os.utime(self.live, (self.clock.now(), self.clock.now()))

    @rule(name=NAMES, folder=FOLDERS)
    def rotate(self, name: str, folder: str) -> None:
        self.write(1)
        if to := self._free(folder, name):
            self.live.rename(to)
            self._make(self.live, b"")
            self.archives.append(to)

    @precondition(lambda self: self.archives)
    @rule(
        data=st.data(),
        name=NAMES,
        folder=FOLDERS,
        suffix=st.sampled_from(sorted(COMPRESSORS)),
        polls=st.booleans(),
        pieces=PIECES,
    )
    def compress(
        self,
        data: st.DataObject,
        name: str,
        folder: str,
        suffix: str,
        polls: bool,
        pieces: list[tuple[float, str]],
    ) -> None:
        """Make another file of an archive, under any name, and delete the archive."""
        old = data.draw(st.sampled_from(self.archives))
        if to := self._free(folder, name + suffix):
            if polls or pieces:  # two equal files that are found together are two logs, unless their names are related
                self.poll()
            self._make_by_pieces(to, COMPRESSORS[suffix](_content(old)), pieces)
            if not suffix:  # `mv` between file systems
                shutil.copystat(old, to)
            if polls:
                self.poll()
            old.unlink()
            self.archives[self.archives.index(old)] = to

    @precondition(lambda self: self.archives)
    @rule(data=st.data(), name=NAMES, folder=FOLDERS)
    def rename(self, data: st.DataObject, name: str, folder: str) -> None:
        old = data.draw(st.sampled_from(self.archives))
        if to := self._free(folder, name):
            old.rename(to)
            self.archives[self.archives.index(old)] = to

    @precondition(lambda self: self.archives)
    @rule(data=st.data(), name=NAMES, suffix=st.sampled_from(sorted(COMPRESSORS)))
    def copy_beside(self, data: st.DataObject, name: str, suffix: str) -> None:
        """Make a copy of an archive that was read, as `gunzip -k` or `cp` do."""
        self.poll()
        self.commit()
        old = data.draw(st.sampled_from(self.archives))
        if to := self._free(old.parent.name, name + suffix):
            self._make(to, COMPRESSORS[suffix](_content(old)))
            self.copies.append(to)

    @precondition(lambda self: self.copies)
    @rule()
    def delete_a_copy(self) -> None:
        self.copies.pop().unlink()

    @precondition(lambda self: self.archives)
    @rule(data=st.data(), seconds=st.sampled_from([-(10**8), -100, 100, 10**8]))
    def touch(self, data: st.DataObject, seconds: int) -> None:
        path = data.draw(st.sampled_from(self.archives))
        os.utime(path, (self.clock.now() + seconds, self.clock.now() + seconds))

    # actions of the tail

    def start(self) -> None:
        known = [
            KnownSource(self.records[id_], of_all_shards(self.records[id_], progress, SHARDS))
            for id_, progress in self.committed.items()
        ]
        is_behind = {one.source.id for one in known if one.resume.position < one.furthest.position}
        self.tailer = Tailer(
            [str(self.root / "logs"), str(self.root / "old" / "*")],
            [
                replace(
                    one, source=replace(one.source, finished=one.source.finished and one.source.id not in is_behind)
                )
                for one in known
            ],
            chunk_bytes=self.chunk,
            clock=self.clock,
            notice=lambda notice: None,
        )

    @rule()
    def poll(self) -> None:
        for folder in ("logs", "old"):
            os.utime(self.root / folder, (self.clock.now(), self.clock.now()))
        for chunk in self.tailer.poll():
            before = self.read.setdefault(chunk.source, [])
            expected = before[-1].end if before else self._resumes_at(chunk.source)
            assert chunk.start == expected, "no byte is skipped or read twice"
            before.append(chunk)

    @rule(shards=st.sets(st.integers(0, SHARDS - 1), min_size=1), told=st.booleans())
    def commit(self, shards: Set[int] = frozenset(range(SHARDS)), told: bool = True) -> None:
        """Let some shards commit what they have; `told`: they have the newest records of sources."""
        sources = {source.id: source for source in self.tailer.sources()}
        for id_, chunks in self.read.items():
            progress = self.committed.setdefault(id_, {})
            for shard in shards:
                for chunk in chunks:
                    self._absorb(shard, chunk, progress)
            self.records.setdefault(id_, sources[id_])
        if told:
            self.records |= {id_: source for id_, source in sources.items() if id_ in self.committed}

    def _absorb(self, shard: int, chunk: Chunk, progress: dict[int, Progress]) -> None:
        at = progress[shard].position if shard in progress else chunk.origin
        if chunk.end > at:
            assert chunk.start == at, "a shard takes a chunk as a whole, or not at all"
            progress[shard] = Progress(chunk.end, 0, chunk.fingerprint)
            self.counted[shard] += bytes(chunk.data).splitlines()

    @rule()
    def crash(self) -> None:
        self.tailer.close()
        self.read = {}
        self.start()

    @rule(seconds=st.sampled_from([1, 3, 31, 100]))
    def wait(self, seconds: int) -> None:
        self.clock.sleep(seconds)

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        for _ in range(3):
            self.poll()
            self.clock.sleep(3)
        self.commit()
        self.tailer.close()
        shutil.rmtree(self.root)
        for counted in self.counted:
            numbers = Counter(int(found[1]) for line in counted if (found := re.match(rb"line (\d+) of", line)))
            assert numbers == Counter(range(self.written))

    def _free(self, folder: str, name: str) -> Path | None:
        """Return a path that does not exist yet, with a name that the tail takes for a log."""
        path = self.root / folder / name
        return None if path.exists() or path.name.startswith(".") else path

    def _make(self, path: Path, content: bytes) -> None:
        """Create a file with the time of the manual clock."""
        path.write_bytes(content)
        os.utime(path, (self.clock.now(), self.clock.now()))

    def _make_by_pieces(self, path: Path, content: bytes, pieces: list[tuple[float, str]]) -> None:
        """Create a file piece by piece; between two of them something happens, more than once at the end of the same."""
        for part, event in sorted(pieces):
            end = round(part * len(content))
            self._make(path, content[: max(end, PLAIN) if _is_plain(content) else end])
            if event == "crash":
                self.commit({0})  # else both files are new to the next run
                self.crash()
            elif event == "pause":
                self.clock.sleep(3)
            self.poll()
        self._make(path, content)

    def _resumes_at(self, source: str) -> int:
        progress = self.committed.get(source, {})
        return min((progress[shard].position if shard in progress else 0) for shard in range(SHARDS))


def _is_plain(data: bytes) -> bool:
    return data.startswith(b"line")


def _content(path: Path) -> bytes:
    """Return the content of a file, decompressed according to its first bytes."""
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"BZh"):
        return bz2.decompress(data)
    if data.startswith(b"\xfd7zXZ"):
        return lzma.decompress(data)
    return zstandard.ZstdDecompressor().decompress(data) if data.startswith(b"\x28\xb5\x2f\xfd") else data


Archives.TestCase.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
TestArchives = Archives.TestCase
