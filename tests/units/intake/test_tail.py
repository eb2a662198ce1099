"""The tailer, poll by poll."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from logagg.clock import ManualClock
from logagg.intake.compare import compare
from logagg.intake.content import FINGERPRINT_BYTES, Compressed, Content, Plain, fingerprint_of, open_content
from logagg.intake.match import match
from logagg.intake.open_files import OpenFiles
from logagg.intake.reader import Reader
from logagg.intake.tail import Tailer
from logagg.notices import Notice
from logagg.records import Chunk, Fingerprint, KnownSource, Progress, Source


class Bench:
    """A directory, a clock, and the tailers of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, ManualClock(time.time())
        self.notices: list[tuple[str, str]] = []
        self._tailers: list[Tailer] = []

    def tailer(self, *paths: object, known: list[KnownSource] | None = None, **options: Any) -> Tailer:
        found = [str(path) for path in paths or [self.folder]]
        tailer = Tailer(found, known or [], clock=self.clock, notice=self._report, **options)
        self._tailers.append(tailer)
        return tailer

    def _report(self, notice: Notice) -> None:
        self.notices.append((notice.kind, notice.text))

    def close(self) -> None:
        for tailer in self._tailers:
            tailer.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def data(chunks: Iterator[Chunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


def data_when_settled(bench: Bench, tailer: Tailer) -> bytes:
    """Return the data of two looks, the second one when files that do not change are taken as complete."""
    found = data(tailer.poll())
    bench.clock.sleep(3)
    return found + data(tailer.poll())


@pytest.mark.thorough
@pytest.mark.slow
def test_each_idle_file_costs_one_stat(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1000):
        (bench.folder / f"{number}.log").write_text("a line\n")
    os.utime(bench.folder, (1, 1))
    tailer = bench.tailer()
    bench.clock.sleep(100)
    assert len(list(tailer.poll())) == 1000
    list(tailer.poll())
    calls: list[str] = []
    for name in ("stat", "fstat", "open", "pread", "preadv", "scandir", "listdir"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, _real=real, _name=name, **more: calls.append(_name) or _real(*args, **more)
        )
    assert list(tailer.poll()) == []
    assert len(calls) <= 1001, {name: calls.count(name) for name in set(calls)}
    assert set(calls) == {"stat"}


def test_logs_take_turns(bench: Bench) -> None:
    for name in ("a.log", "b.log"):
        (bench.folder / name).write_text("a line\n" * 20)
    chunks = list(bench.tailer(chunk_bytes=70).poll())
    assert [chunk.source for chunk in chunks[:2]] != [chunks[0].source] * 2
    assert len({chunk.source for chunk in chunks}) == 2


def test_chunks_are_read_into_buffers_while_some_are_free(bench: Bench) -> None:
    lines, buffers = [b"line %d\n" % number for number in range(8)], [memoryview(bytearray(9)) for _ in range(3)]
    free = list(buffers)
    (bench.folder / "a.log").write_bytes(b"".join(lines))
    tailer = bench.tailer(chunk_bytes=8, take_buffer=lambda: free.pop() if free else memoryview(b""))
    chunks = list(tailer.poll())
    assert [bytes(chunk.data) for chunk in chunks] == lines
    kept = [[chunk.data.obj is buffer.obj for buffer in buffers].count(True) for chunk in chunks]  # type: ignore[union-attr]
    assert kept == [1, 1, 1, 0, 0, 0, 0, 0]


def test_a_chunk_larger_than_a_room_has_its_own_memory(bench: Bench) -> None:
    (bench.folder / "a.log").write_bytes(b"x" * 20 + b"\nshort\n")
    tailer = bench.tailer(chunk_bytes=8, take_buffer=lambda: memoryview(bytearray(10)))
    assert data(tailer.poll()) == b"x" * 20 + b"\nshort\n"


def test_from_the_end(bench: Bench) -> None:
    (bench.folder / "a.log").write_text("old\n" * 5000 + "half")
    (bench.folder / "a.log.1").write_text("older\n")
    (bench.folder / "a.log.2.gz").write_bytes(b"\x1f\x8b")
    tailer = bench.tailer(start_at="end")
    begins = {(chunk.origin, chunk.start, chunk.end, chunk.data) for chunk in tailer.poll()}
    # For the lake: two starting positions, without a line.
    assert begins == {(20_000, 20_000, 20_000, b""), (6, 6, 6, b"")}
    with (bench.folder / "a.log").open("a") as file:
        file.write(" a line\nnew\n")
    [chunk] = tailer.poll()
    assert chunk.data == b"half a line\nnew\n"
    assert chunk.origin == chunk.start == 20_000
    (bench.folder / "b.log").write_text("new\n")
    assert data(tailer.poll()) == b"new\n"


def test_chunk_ends_of_an_earlier_run_are_kept(bench: Bench) -> None:
    (bench.folder / "a.log").write_text("one\ntwo\nsix\nten\n")
    first = bench.tailer(chunk_bytes=4)
    chunks = list(first.poll())
    [source] = first.sources()
    at = {shard: Progress(chunk.end, 0, chunk.fingerprint) for shard, chunk in enumerate(chunks[:3])}
    tailer = bench.tailer(known=[KnownSource(source, at)])
    assert [(chunk.start, chunk.data) for chunk in tailer.poll()] == [(4, b"two\n"), (8, b"six\n"), (12, b"ten\n")]


def test_a_refused_log_is_offered_again_when_it_has_grown(bench: Bench) -> None:
    log = bench.folder / "a.log"
    log.write_text("odd\n")
    tailer = bench.tailer()
    for chunk in tailer.poll():
        tailer.refuse(chunk.source)
    bench.clock.sleep(10)
    assert list(tailer.poll()) == []
    tailer.reconsider()
    for chunk in tailer.poll():
        tailer.refuse(chunk.source)
    with log.open("a") as file:
        file.write("more\n")
    [chunk] = tailer.poll()
    assert (chunk.start, chunk.data) == (0, b"odd\nmore\n")


def test_a_refused_and_closed_log_is_offered_again_too(bench: Bench) -> None:
    (bench.folder / "a.log.1").write_text("odd\n")
    tailer = bench.tailer()
    for chunk in tailer.poll():
        tailer.refuse(chunk.source)
    bench.clock.sleep(100)
    assert list(tailer.poll()) == []
    tailer.reconsider()
    assert data(tailer.poll()) == b"odd\n"


def test_the_last_line_of_a_run_that_ends(bench: Bench) -> None:
    for name in ("live.log", "rotated.log.1", "young.log.1"):
        (bench.folder / name).write_text(f"one\n{name}")
    (bench.folder / "nothing.log").write_bytes(b"one\n\r\0\0")
    os.utime(bench.folder / "rotated.log.1", (1, 1))
    tailer = bench.tailer()
    assert data(tailer.poll()) == b"one\n" * 3 + b"one\nrotated.log.1"
    assert data(tailer.drain_ends(lambda source, line: line == b"live.log")) == b"live.log"
    assert list(tailer.drain_ends(lambda source, line: True))[0].data == b"young.log.1"


def test_an_idle_rotated_file_is_closed(bench: Bench) -> None:
    old = bench.folder / "a.log.1"
    old.write_text("one\nhalf")
    tailer = bench.tailer(idle=30.0)
    assert data(tailer.poll()) == b"one\n"
    assert not tailer.sources()[0].finished
    bench.clock.sleep(31)
    assert data(tailer.poll()) == b"half"
    assert tailer.sources()[0].finished
    assert tailer.take_changes()
    assert not tailer.take_changes()
    with old.open("a") as file:
        file.write("\nmore\n")
    assert data(tailer.poll()) == b"\nmore\n"


def test_a_log_that_is_truncated_while_it_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    log, real = bench.folder / "a.log", Plain.read
    log.write_text("".join(f"old {number}\n" for number in range(10)))
    new = "".join(f"new {number:03}\n" for number in range(90))

    def truncated_before(content: Plain, position: int, size: int) -> bytes:
        if position == 48:
            log.write_text(new)
        return real(content, position, size)

    tailer = bench.tailer(chunk_bytes=48)
    monkeypatch.setattr(Plain, "read", truncated_before)
    assert data(tailer.poll()) == b"".join(b"old %d\n" % number for number in range(8)) + new.encode()
    assert [kind for kind, _ in bench.notices].count("truncated") == 1


def test_a_log_that_is_copied_and_truncated_before_it_was_ever_read(bench: Bench) -> None:
    live, copy = bench.folder / "a.log", bench.folder / "a.log.1"
    live.write_text("one\ntwo\n")
    copy.write_text("one\n")  # and continues
    tailer = bench.tailer()
    assert data(tailer.poll()) == b"one\ntwo\n"
    copy.write_text("one\ntwo\nthree\n")
    live.write_text("four\n")
    assert data(tailer.poll()) == b"three\nfour\n"


@pytest.mark.parametrize("once", [True, False])
def test_two_logs_that_begin_alike_from_the_start(bench: Bench, once: bool) -> None:
    (bench.folder / "a.log").write_text("same\nsame\n")
    (bench.folder / "a.log.1").write_text("same\n")
    tailer = bench.tailer(once=once)
    found = data(tailer.poll())
    bench.clock.sleep(3)
    found += data(tailer.poll())
    assert found == b"same\n" * 3


def test_a_log_and_its_compressed_form_from_the_start(bench: Bench) -> None:
    (bench.folder / "a.log.1").write_text("one\n")
    (bench.folder / "a.log.1.gz").write_bytes(gzip.compress(b"one\n"))
    tailer = bench.tailer()
    assert data_when_settled(bench, tailer) == b"one\n"


def test_a_rotation_that_is_compressed_after_it_was_closed(bench: Bench) -> None:
    old = bench.folder / "a.log.1"
    old.write_text("one\ntwo\n")
    tailer = bench.tailer()
    assert data(tailer.poll()) == b"one\ntwo\n"
    bench.clock.sleep(100)
    assert list(tailer.poll()) == []
    (bench.folder / "a.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
    assert list(tailer.poll()) == []
    old.unlink()
    (bench.folder / "a.log.1.gz").rename(bench.folder / "a.log.2.gz")
    assert list(tailer.poll()) == []
    [source] = tailer.sources()
    assert (source.compression, source.finished) == ("gz", True)


LONG = b"".join(b"a line of a log, number %d\n" % number for number in range(100))
NUMBERED = b"".join(b"a line with a number: %x\n" % (number * 2654435761 % 2**64) for number in range(1000))


def test_a_new_log_that_has_the_inode_of_a_deleted_copy(bench: Bench) -> None:
    live, copy = bench.folder / "a.log", bench.folder / "a.log.bak"
    live.write_bytes(LONG)
    tailer = bench.tailer()
    assert data(tailer.poll()) == LONG
    copy.write_bytes(LONG)
    assert data(tailer.poll()) == b""
    live.rename(bench.folder / "a.log.1")
    copy.write_bytes(b"")
    copy.rename(live)  # as if deleted, and its inode reused for the new log
    assert data(tailer.poll()) == b""
    live.write_bytes(b"more\n")
    assert data(tailer.poll()) == b"more\n"


@pytest.mark.parametrize("name", ["a.log.bak", "old.a.log"])
def test_a_copy_that_is_repeated(bench: Bench, name: str) -> None:
    live, copy = bench.folder / "a.log", bench.folder / name
    live.write_bytes(LONG)
    tailer = bench.tailer()
    assert data(tailer.poll()) == LONG
    for _ in range(2):
        copy.write_bytes(live.read_bytes())
        assert data(tailer.poll()) == b""
        with live.open("ab") as file:
            file.write(b"more\n")
        assert data(tailer.poll()) == b"more\n"


def test_a_copy_stays_one_when_it_is_renamed_and_its_original_deleted(bench: Bench) -> None:
    live, copy = bench.folder / "a.log", bench.folder / "a.log.2"
    live.write_bytes(LONG)
    tailer = bench.tailer()
    assert data(tailer.poll()) == LONG
    copy.write_bytes(LONG[:-30])
    assert data(tailer.poll()) == b""
    live.write_bytes(b"more\n")
    copy.rename(bench.folder / "old.a.log")
    assert data(tailer.poll()) + data(tailer.poll()) == b"more\n"


def test_a_log_that_is_truncated_during_a_look(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    live, copy, real = bench.folder / "a.log", bench.folder / "a.log.1", open_content
    live.write_text("one\ntwo\n")
    tailer = bench.tailer()
    assert data(tailer.poll()) == b"one\ntwo\n"
    copy.write_text("one\ntwo\nthree\n")

    def truncated_before(path: str) -> Content:
        live.write_text("four\n")
        return real(path)

    monkeypatch.setattr("logagg.intake.unknown.open_content", truncated_before)
    assert data(tailer.poll()) + data(tailer.poll()) == b"three\nfour\n"


def test_a_copy_that_is_compared_while_its_log_is_truncated(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And written again at once: the two differ then, and the copy is no log of its own."""
    live, copy = bench.folder / "a.log", bench.folder / "a.log.1"
    live.write_bytes(LONG)
    tailer = bench.tailer()
    assert data(tailer.poll()) == LONG
    with live.open("ab") as file:
        file.write(b"more\n")
    copy.write_bytes(live.read_bytes())

    def truncated_before(one: Content, other: Content) -> tuple[int, bool, bool]:
        live.write_bytes(b"new\n")
        return compare(one, other)

    monkeypatch.setattr("logagg.intake.match.compare", truncated_before)
    assert data(tailer.poll()) + data(tailer.poll()) == b"more\nnew\n"


def test_a_copy_that_grows_while_it_is_judged(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It held less than was read of its log when the logs without a file were looked for."""
    log, copy = bench.folder / "a.log", bench.folder / "elsewhere.log"
    log.write_bytes(NUMBERED)
    tailer = bench.tailer()
    assert data(tailer.poll()) == NUMBERED
    log.unlink()
    copy.write_bytes(NUMBERED[:5000])

    def grown_before(*arguments: Any, **options: Any) -> Any:
        copy.write_bytes(NUMBERED)
        return match(*arguments, **options)

    monkeypatch.setattr("logagg.intake.unknown.match", grown_before)
    assert data_when_settled(bench, tailer) == b""


@pytest.mark.parametrize("made", ["whole", "in two steps"])
@pytest.mark.parametrize(("lines", "name"), [(b"one\ntwo\n", "b.log.1"), (b"n" * 2000 + b"\n", "Xyz-7")])
def test_a_log_that_is_archived_before_it_is_read(bench: Bench, lines: bytes, name: str, made: str) -> None:
    """A look found it; then the reading of another log took until it was compressed, and deleted."""
    log, archive = bench.folder / "b.log", bench.folder / f"{name}.gz"
    (bench.folder / "a.log").write_bytes(LONG)
    log.write_bytes(lines)
    tailer, packed = bench.tailer(), gzip.compress(lines)
    chunks = tailer.poll()
    found = next(chunks).data
    if made == "in two steps":
        archive.write_bytes(packed[:20])
        bench.clock.sleep(1)
    archive.write_bytes(packed)
    log.unlink()
    bench.clock.sleep(1)
    assert bytes(found) + data(chunks) + data_when_settled(bench, tailer) == LONG + lines


@pytest.fixture
def behind(bench: Bench) -> tuple[Iterator[Chunk], str, Tailer]:
    """Return the chunks of a tailer that has found b.log, and not read it yet, and the id of that source.

    One shard had read all of it, and the other nothing, as when workers were killed.
    """
    others, log = bench.folder / "a.log", bench.folder / "b.log"
    others.write_bytes(b"first\n")
    log.write_bytes(LONG)
    first = bench.tailer()
    ends = {chunk.source: Progress(chunk.end, 1, chunk.fingerprint) for chunk in first.poll()}
    a, b = first.sources()
    at_start = Progress(0, 0, Fingerprint.blank(0))
    known = [KnownSource(a, {0: ends[a.id], 1: ends[a.id]}), KnownSource(b, {0: ends[b.id], 1: at_start})]
    others.write_bytes(b"first\n" + NUMBERED)
    tailer = bench.tailer(known=known)
    chunks = tailer.poll()
    assert next(chunks).data == NUMBERED
    return chunks, b.id, tailer


def test_a_log_that_one_shard_has_read_is_archived_before_it_is_read_again(
    bench: Bench, behind: tuple[Iterator[Chunk], str, Tailer]
) -> None:
    chunks, source, tailer = behind
    (bench.folder / "b.log.1.gz").write_bytes(gzip.compress(LONG))
    (bench.folder / "b.log").unlink()
    bench.clock.sleep(1)
    rest = [*chunks, *tailer.poll()]
    bench.clock.sleep(3)
    rest += tailer.poll()
    assert [(chunk.source, chunk.start, chunk.data) for chunk in rest] == [(source, 0, LONG)]


def test_a_log_that_one_shard_has_read_is_truncated_before_it_is_read_again(
    bench: Bench, behind: tuple[Iterator[Chunk], str, Tailer]
) -> None:
    chunks, source, tailer = behind
    new = b"another line\n" * 200
    (bench.folder / "b.log").write_bytes(new)
    [chunk] = [*chunks, *tailer.poll()]
    assert (chunk.source != source, chunk.data) == (True, new)


def test_an_unreadable_file_is_reported_once_and_read_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.folder / "a.log").write_text("one\n")
    tailer, real = bench.tailer(), os.open
    monkeypatch.setattr(os, "open", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert list(tailer.poll()) == list(tailer.poll()) == []
    assert [kind for kind, _ in bench.notices] == ["unreadable"]
    monkeypatch.setattr(os, "open", real)
    assert data(tailer.poll()) == b"one\n"


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Return the end of a pipe whose other end is standard input; the test closes it."""
    reading, writing = os.pipe()
    with io.FileIO(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writing


@pytest.mark.slow
def test_standard_input(bench: Bench, writing: int) -> None:
    tailer = bench.tailer("-", max_line=50, chunk_bytes=64)
    os.write(writing, b"one\ntw")
    assert data(tailer.poll()) == b"one\n"
    os.write(writing, b"o\n" + b"x" * 500)
    assert data(tailer.poll()) == b"two\n"
    os.write(writing, b"x" * 500 + b"\nthree\n\0\0four\nfive")
    chunks = list(tailer.poll())
    assert b"".join(chunk.data for chunk in chunks) == b"three\nfour\n"
    assert [chunk.too_long for chunk in chunks if chunk.skipped > 100] == [1]
    assert not tailer.ended()
    os.close(writing)
    assert list(tailer.poll()) == []
    assert tailer.ended()
    assert data(tailer.drain_ends(lambda *_: False)) == b"five"
    assert [chunk.start for chunk in chunks[1:]] == [chunk.end for chunk in chunks[:-1]]


def test_standard_input_that_was_refused_is_kept(bench: Bench, writing: int) -> None:
    tailer = bench.tailer("-")
    os.write(writing, b"odd\n")
    for chunk in tailer.poll():
        tailer.refuse(chunk.source)
    os.write(writing, b"more\n")
    os.close(writing)
    assert data(tailer.poll()) == b"odd\nmore\n"


def test_a_growing_archive_is_decompressed_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    rewound: list[Compressed] = []
    rewind = Compressed._rewind
    monkeypatch.setattr(Compressed, "_rewind", lambda self: rewound.append(self) or rewind(self))
    path = bench.folder / "a.log.1.gz"
    packed = gzip.compress(b"".join(b"line %d\n" % number for number in range(20_000)))
    path.write_bytes(packed[:30])
    tailer, known = bench.tailer(), b""
    for end in range(0, len(packed) + 1000, 1000):
        with path.open("r+b") as file:
            file.write(packed[: max(30, end)])
        known += data(tailer.poll())
    assert known.count(b"\n") == 20_000
    opened = 4  # twice to identify it: when it is found, and when it has enough bytes
    assert len(rewound) == len({id(content) for content in rewound}) == opened


def test_an_archive_that_is_found_with_half_of_its_magic(bench: Bench) -> None:
    """Five bytes of an .xz identify nothing: it is judged again when it has grown."""
    path, packed = bench.folder / "a.log.1.xz", lzma.compress(b"one\ntwo\n")
    path.write_bytes(packed[:5])
    tailer = bench.tailer()
    assert data(tailer.poll()) == b""
    path.write_bytes(packed)
    assert data(tailer.poll()) + data(tailer.poll()) == b"one\ntwo\n"


@pytest.mark.parametrize("looks", [1, 2])
def test_a_log_of_which_little_was_read_before_it_was_archived_elsewhere(bench: Bench, looks: int) -> None:
    """Its file is still open, and has enough bytes to recognise the archive; `looks`: the first one still finds it there."""
    log, elsewhere = bench.folder / "logs" / "a.log", bench.folder / "old"
    for folder in (log.parent, elsewhere):
        folder.mkdir()
    log.write_bytes(b"a first line\n")
    tailer = bench.tailer(log.parent, elsewhere / "*")
    assert data(tailer.poll()) == b"a first line\n"
    with log.open("ab") as file:
        file.write(LONG)
    (elsewhere / "any-name.gz").write_bytes(gzip.compress(log.read_bytes()))
    found = data(tailer.poll()) if looks == 2 else b""
    log.unlink()
    assert found + data_when_settled(bench, tailer) == LONG


def test_sources_are_forgotten(bench: Bench) -> None:
    log = bench.folder / "a.log"
    log.write_text("one\n")
    tailer = bench.tailer(idle=1, forget=1000)
    list(tailer.poll())
    log.unlink()
    for _ in range(3):
        bench.clock.sleep(100)
        list(tailer.poll())
    assert tailer.sources()[0].gone
    bench.clock.sleep(1000)
    list(tailer.poll())
    assert tailer.sources() == []


EQUAL = b'192.0.2.1 - - [02/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 10 "-" "load test"\n'


@pytest.mark.parametrize("how", ["renamed", "renamed and deleted", "copied and truncated"])
def test_a_log_that_begins_as_the_last_one_ended(bench: Bench, how: str) -> None:
    """Under load many lines of a second are equal; the new log begins with the last lines of the old one."""
    live, old = bench.folder / "a.log", bench.folder / "a.log.1"
    live.write_bytes(LONG + EQUAL * 20)
    tailer = bench.tailer()
    assert data(tailer.poll()) == LONG + EQUAL * 20
    if how.startswith("renamed"):
        live.rename(old)
    else:
        old.write_bytes(live.read_bytes())
    if how.endswith("deleted"):
        old.unlink()
    live.write_bytes(EQUAL * 30)
    assert data(tailer.poll()) == EQUAL * 30


def test_an_archive_that_is_filled_as_it_is_opened(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is empty when it is taken for a plain log, and complete when its first bytes are read."""
    archive, real, calls = bench.folder / "a.log-20260310.gz", OpenFiles.opened, list[str]()

    def opened(files: OpenFiles, reader: Reader) -> None:
        real(files, reader)
        calls.append(reader.source.path)
        if calls.count(str(archive)) == 2:  # first when it was found; now it is about to be read
            archive.write_bytes(gzip.compress(LONG, 0))  # uncompressed, so that it has newlines, as most archives have

    (bench.folder / "a.log").write_bytes(b"one\n")
    tailer = bench.tailer()
    assert data(tailer.poll()) == b"one\n"
    archive.write_bytes(b"")
    monkeypatch.setattr(OpenFiles, "opened", opened)
    found = data(tailer.poll())
    bench.clock.sleep(3)
    found += data(tailer.poll())
    assert found == LONG


@pytest.mark.parametrize("start_at", ["start", "end"])
def test_a_log_that_is_judged_again_while_another_is_read(bench: Bench, start_at: str) -> None:
    """It was found empty, and has grown when a look happens between two chunks of the other log."""
    (bench.folder / "a.log").write_bytes(LONG)
    (bench.folder / "b.log").write_bytes(b"")
    tailer = bench.tailer(start_at=start_at)
    if start_at == "end":
        assert data(tailer.poll()) == b""
        (bench.folder / "c.log").write_bytes(b"")
        (bench.folder / "a.log").write_bytes(LONG * 2)
    chunks = tailer.poll()
    first = next(chunks)
    empty = "b.log" if start_at == "start" else "c.log"
    (bench.folder / empty).write_bytes(b"one\ntwo\n")
    bench.clock.sleep(1)
    rest = [*chunks, *tailer.poll()]
    known = {source.id for source in tailer.sources()}
    assert first.data == LONG and b"".join(bytes(chunk.data) for chunk in rest) == b"one\ntwo\n"
    assert {chunk.source for chunk in [first, *rest]} <= known


@pytest.mark.parametrize("how", ["running", "restarted"])
def test_an_archive_under_another_name_that_is_found_half_made(bench: Bench, how: str) -> None:
    """It is longer than a fingerprint, but nothing can be decompressed yet, since bzip2 compresses whole blocks."""
    old, archive = bench.folder / "a.log.5", bench.folder / "Xyz-7-a.log.bz2"
    lines, packed = NUMBERED, bz2.compress(NUMBERED)
    old.write_bytes(lines)
    tailer = bench.tailer()
    assert data(tailer.poll()) == lines and len(packed) > 4096
    if how == "restarted":
        [source] = tailer.sources()
        at = Progress(len(lines), 1000, fingerprint_of(len(lines), lines[-FINGERPRINT_BYTES:]))
        tailer = bench.tailer(known=[KnownSource(source, {0: at})])
        assert data(tailer.poll()) == b""
    for end in (len(packed) // 3, 2 * len(packed) // 3):
        archive.write_bytes(packed[:end])
        assert data(tailer.poll()) == b""
    archive.write_bytes(packed)
    old.unlink()
    assert data_when_settled(bench, tailer) == b""
    assert [source.path for source in tailer.sources()] == [str(archive)]


def known_as(source: Source, lines: bytes, how: str) -> KnownSource:
    """Return what the lake knows of a source of which these lines were read."""
    at = {0: Progress(len(lines), 1, fingerprint_of(len(lines), lines))}
    if how == "a shard behind":
        at[1] = Progress(0, 0, Fingerprint.blank(0))
    if how == "an old record":  # of its first chunk, since one worker committed the last chunk before another the first
        source = replace(source, head=fingerprint_of(300, lines[:300]))
    return KnownSource(source, at)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
}


@pytest.mark.parametrize("how", ["running", "slow", "restarted", "a shard behind", "an old record"])
@pytest.mark.parametrize(
    ("name", "packer"),
    [
        ("a.log.5", "gz"),
        ("a.log.P3j", "gz"),
        ("access-7", "gz"),
        ("Xyz-7", "bz2"),
        ("access-7", "xz"),
        ("Xyz-7", "zst"),
    ],
)
def test_an_archive_is_no_log_of_its_own_at_any_point_of_its_making(
    bench: Bench, name: str, packer: str, how: str
) -> None:
    """The first third of an archive of a hundred lines gives fewer than a fingerprint's bytes of content."""
    log, old, archive = bench.folder / "a.log", bench.folder / "a.log.P3j", bench.folder / f"{name}.{packer}"
    lines = b"".join(NUMBERED.splitlines(keepends=True)[:70])
    log.write_bytes(lines)
    tailer, packed = bench.tailer(), PACKERS[packer](lines)
    assert data(tailer.poll()) == lines
    log.rename(old)
    assert data(tailer.poll()) == b""
    if how not in ("running", "slow"):
        [source] = tailer.sources()
        tailer = bench.tailer(known=[known_as(source, lines, how)])
        assert data(tailer.poll()) == (lines if how == "a shard behind" else b"")
    for at in range(0, len(packed), len(packed) // 15):
        archive.write_bytes(packed[:at])
        bench.clock.sleep(3 if how == "slow" else 0)
        assert data(tailer.poll()) == b"", f"{at} of {len(packed)} bytes"
    archive.write_bytes(packed)
    assert data(tailer.poll()) == b""
    old.unlink()
    assert data_when_settled(bench, tailer) == b""
    assert [source.path for source in tailer.sources()] == [str(archive)]


@pytest.mark.parametrize("kept", [False, True])
def test_the_archive_of_a_short_log_under_an_unrelated_name(bench: Bench, kept: bool) -> None:
    """If the log stays, the archive is another log with equal lines."""
    old, archive = bench.folder / "a.log.P3j", bench.folder / "access-7.gz"
    old.write_bytes(b"one\ntwo\n")
    tailer = bench.tailer()
    assert data(tailer.poll()) == b"one\ntwo\n"
    archive.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert data(tailer.poll()) == b""
    if not kept:
        old.unlink()
    assert data_when_settled(bench, tailer) == (b"one\ntwo\n" if kept else b"")


@pytest.mark.parametrize("slow", [False, True])
def test_an_archive_whose_making_was_interrupted_is_read_as_far_as_it_goes(bench: Bench, slow: bool) -> None:
    packed = gzip.compress(NUMBERED[:2600])
    (bench.folder / "a.log.1.gz").write_bytes(packed[:400])
    tailer = bench.tailer(once=not slow)
    found = data_when_settled(bench, tailer) if slow else data(tailer.poll())
    assert found and NUMBERED.startswith(found)


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("made", [0.6, 1.0])
def test_a_log_and_its_archive_under_another_name_that_the_first_look_finds(
    bench: Bench, made: float, once: bool
) -> None:
    """The log was written, rotated and compressed while no tail ran, and is about to be deleted."""
    old, archive = bench.folder / "access.log.oqFar263", bench.folder / "access.ynRS3.265.log.xz"
    lines, packed = NUMBERED, lzma.compress(NUMBERED)
    old.write_bytes(lines)
    archive.write_bytes(packed[: round(made * len(packed))])
    tailer = bench.tailer(once=once)
    assert data_when_settled(bench, tailer) == lines
    archive.write_bytes(packed)
    old.unlink()
    assert data_when_settled(bench, tailer) == b""
    assert [source.path for source in tailer.sources()] == [str(archive)]


@pytest.mark.parametrize("how", ["running", "first look"])
def test_a_rotated_log_whose_lines_the_next_one_repeats(bench: Bench, how: str) -> None:
    """Both come between two looks; the rotated one was last written before the other was made, so it is no copy."""
    log, before = bench.folder / "a.log", b"an older line\n" * 100
    log.write_bytes(before)
    tailer = bench.tailer()
    found = data(tailer.poll()) if how == "running" else b""
    log.rename(bench.folder / "a.log.2")
    log.write_bytes(LONG)
    log.rename(bench.folder / "a.log.1")
    time.sleep(0.02)  # file systems tell times some milliseconds apart
    log.write_bytes(LONG * 2)
    found += data(tailer.poll())
    bench.clock.sleep(3)
    assert found + data(tailer.poll()) == before + LONG + LONG * 2


@pytest.mark.parametrize("kept", [False, True], ids=["cp", "cp -p"])
def test_a_copy_of_a_log_is_not_taken_for_a_rotated_one(bench: Bench, kept: bool) -> None:
    log, copy = bench.folder / "a.log", bench.folder / "a.log.1"
    log.write_bytes(LONG)
    (shutil.copy2 if kept else shutil.copy)(log, copy)
    time.sleep(0.02)
    with log.open("ab") as file:
        file.write(LONG)
    tailer = bench.tailer()
    assert data_when_settled(bench, tailer) == LONG * 2


def test_a_copy_beside_a_log_from_elsewhere_is_a_copy(bench: Bench) -> None:
    """`rsync -t` gives the log that it makes the time of there, which is that of the copy."""
    log, copy = bench.folder / "a.log", bench.folder / "a.log.1"
    copy.write_bytes(LONG)
    time.sleep(0.02)
    log.write_bytes(LONG * 2)
    os.utime(log, (copy.stat().st_mtime, copy.stat().st_mtime))
    tailer = bench.tailer()
    assert data_when_settled(bench, tailer) == LONG * 2


def test_a_log_that_is_cut_between_a_look_and_its_opening(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cat last-lines > log`: the shell empties the log first, which is the state that the look found."""
    log = bench.folder / "a.log"
    log.write_bytes(LONG * 3)
    tailer = bench.tailer()
    assert data(tailer.poll()) == LONG * 3
    log.write_bytes(b"")
    opened = []

    def filled(path: str) -> Content:
        opened.append(path)
        if len(opened) == 2:  # the first time to compare it with known sources, now to judge it
            log.write_bytes(LONG)
        return open_content(path)

    monkeypatch.setattr("logagg.intake.unknown.open_content", filled)
    assert data(tailer.poll()) == b""
    with log.open("ab") as file:
        file.write(b"more\n")
    assert data(tailer.poll()) == b"more\n"


def in_threes(log_format: str, ahead: memoryview, end: int, _longest: int) -> int:
    """Cut a log of this format behind each third line."""
    lines = bytes(ahead[:end]).splitlines(keepends=True)
    return sum(map(len, lines[: len(lines) - len(lines) % 3])) if log_format == "threes" else end


def test_a_log_is_cut_as_its_format_demands(bench: Bench) -> None:
    """The first chunk is cut before the format is known, and taken back; lines that go on are held back to the end of the run."""
    log = bench.folder / "a.log"
    log.write_bytes(b"1\n2\n3\n4\n")
    tailer = bench.tailer(whole_lines=in_threes)
    taken = [chunk.data for chunk in tailer.poll() if tailer.set_format(chunk, "threes")]
    assert taken == [b"1\n2\n3\n"]
    with log.open("ab") as file:
        file.write(b"5\n")
    assert data(tailer.poll()) == b""
    with log.open("ab") as file:
        file.write(b"6\n7\n8")
    assert data(tailer.poll()) == b"4\n5\n6\n"
    assert data(tailer.drain_ends(lambda source, line: False)) == b"7\n"


def test_a_rotated_log_is_read_to_its_end_whatever_its_format_demands(bench: Bench) -> None:
    log = bench.folder / "a.log.1"
    log.write_bytes(b"1\n2\n3\n4\n5")
    os.utime(log, (1, 1))
    tailer = bench.tailer(whole_lines=in_threes)
    assert [chunk.data for chunk in tailer.poll() if tailer.set_format(chunk, "threes")] == [b"1\n2\n3\n", b"4\n5"]


@pytest.mark.parametrize("kind", ["plain", "written meanwhile", "rotated meanwhile", "gz", "cut gz", "empty gz"])
def test_few_files_are_open_at_any_moment(bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Many logs have something to read in one poll, and looks happen in between."""
    monkeypatch.setattr("logagg.intake.tail.allowance", lambda reserved: ALLOWED)
    logs = [bench.folder / f"{number:02}.log" for number in range(40)]
    contents = [b"%d %s" % (number, LONG) for number in range(40)]
    tailer, before, found, changed = bench.tailer(), len(os.listdir("/dev/fd")), list[bytes](), set[Path]()
    refused: list[bytes] = []
    for log, content in zip(logs, contents, strict=True):
        packed = gzip.compress(content)
        made = {"gz": packed, "cut gz": packed[:-20], "empty gz": packed[:20]}
        log.with_suffix(".log.gz" if kind in made else ".log").write_bytes(made.get(kind, content))
    for chunk in _polled(bench, tailer):
        assert len(os.listdir("/dev/fd")) - before <= ALLOWED
        found.append(bytes(chunk.data))
        log = logs[int(chunk.data[:2])]
        if log not in changed and "meanwhile" in kind:
            changed.add(log)
            with log.open("ab") as file:
                file.write(b"%d more\n" % int(chunk.data[:2]))
            if kind == "rotated meanwhile":
                log.rename(log.with_suffix(".log.1"))
        bench.clock.sleep(1)
    for log in logs:
        if log.exists():
            with log.open("ab") as file:
                file.write(b"half")
    for chunk in (*tailer.poll(), *tailer.drain_ends(lambda source, line: bool(refused.append(line)))):
        found.append(bytes(chunk.data))
        assert len(os.listdir("/dev/fd")) - before <= ALLOWED
    assert len(os.listdir("/dev/fd")) - before <= ALLOWED
    assert len(refused) == sum(log.exists() for log in logs)
    more = [b"%d more\n" % number for number in range(len(changed))]
    if kind not in ("cut gz", "empty gz"):
        assert sorted(b"".join(found).splitlines()) == sorted(b"".join(contents + more).splitlines())


ALLOWED = 8


def _polled(bench: Bench, tailer: Tailer) -> Iterator[Chunk]:
    for _ in range(4):
        yield from tailer.poll()
        bench.clock.sleep(3)


def test_other_paths_are_followed_from_then_on(bench: Bench) -> None:
    for name in ("one.log", "two.log"):
        (bench.folder / name).write_text(f"{name}\n")
    tailer = bench.tailer(bench.folder / "one.log")
    assert data(tailer.poll()) == b"one.log\n"
    tailer.follow([str(bench.folder / "one.log"), str(bench.folder / "two.log")])
    (bench.folder / "one.log").write_text("one.log\nmore\n")
    assert data(tailer.poll()) == b"more\ntwo.log\n"


def test_a_source_is_described(bench: Bench) -> None:
    (bench.folder / "a.log.1").write_text("line\n")
    tailer = bench.tailer(bench.folder / "a.log.1")
    (chunk,) = tailer.poll()
    assert tailer.names(chunk.source) == (str(bench.folder / "a.log.1"), str(bench.folder / "a.log.1"))
    tailer.set_site(chunk.source, "shop.example")
    assert tailer.set_site(chunk.source, "").site == "shop.example", "what is known is kept"
