"""Lines are read forward, and count only if the file proves to hold the source."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from logagg.intake.content import Compressed, Content, Plain, fingerprint_of, open_content
from logagg.records import KnownSource, Progress, Source
from logagg.retrieve import reading
from logagg.retrieve.reading import NotTheSource, read_lines

LINES = [b"%d %s" % (number, b"x" * (number % 97)) for number in range(3000)]
TEXT = b"".join(line + b"\n" for line in LINES)
STARTS = [sum(len(line) + 1 for line in LINES[:number]) for number in range(0, 3000, 100)]


def known(text: bytes, end: int | None = None) -> KnownSource:
    """Return what a lake knows of a source that was read up to `end`."""
    text = text[:end]
    head = text[:1024]
    mark = fingerprint_of(len(text), text)
    return KnownSource(
        Source("s", "access.log", 1, 2, fingerprint_of(len(head), head)), {0: Progress(len(text), 9, mark)}
    )


def lines(path: Path, source: KnownSource, positions: Sequence[int]) -> list[bytes | None]:
    with closing(open_content(str(path))) as content:
        return list(read_lines(content, source, positions))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes(TEXT)
    return path


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress]
)
def test_lines_are_read_from_any_compression(log: Path, pack: Callable[[bytes], bytes]) -> None:
    log.write_bytes(pack(TEXT))
    assert lines(log, known(TEXT), STARTS) == LINES[::100]


def test_an_archive_is_decompressed_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewinds: list[Content] = []
    rewind = Compressed._rewind
    monkeypatch.setattr(Compressed, "_rewind", lambda self: rewinds.append(self) or rewind(self))
    log.write_bytes(gzip.compress(TEXT))
    assert lines(log, known(TEXT, -1), STARTS) == LINES[::100]
    assert len(rewinds) == 1


def test_a_plain_file_is_read_in_blocks(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = Plain.read
    monkeypatch.setattr(Plain, "read", lambda self, at, size: reads.append(at) or read(self, at, size))
    everywhere = [sum(len(line) + 1 for line in LINES[:number]) for number in range(1000)]
    assert lines(log, known(TEXT), everywhere) == LINES[:1000]
    assert len(reads) < 12


@pytest.mark.parametrize("position", [1, 5, len(TEXT), len(TEXT) + 1, -1])
def test_where_no_line_begins_there_is_none(log: Path, position: int) -> None:
    assert lines(log, known(TEXT), [position]) == [None]


def test_a_line_ends_where_the_source_was_read_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo and more\n")
    assert lines(path, known(b"one\ntwo"), [0, 4]) == [b"one", b"two"]
    assert lines(path, known(b"one\ntwo and more\n"), [0, 4]) == [b"one", b"two and more"]


def test_a_line_begins_after_nuls_and_after_a_byte_order_mark(tmp_path: Path) -> None:
    path, text = tmp_path / "log", b"\xef\xbb\xbfone\n\0\0two\n"
    path.write_bytes(text)
    assert lines(path, known(text), [3, 9]) == [b"one", b"two"]
    path.write_bytes(b"abc" + text[3:])
    assert lines(path, known(b"abc" + text[3:]), [3, 9]) == [None, b"two"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("text", [b"", TEXT[:-1], b"y" + TEXT[1:], TEXT[:-2] + b"y\n", TEXT[:1024], b"\n" + TEXT])
def test_what_does_not_hold_the_source_is_refused(log: Path, pack: Callable[[bytes], bytes], text: bytes) -> None:
    log.write_bytes(pack(text))
    with pytest.raises(NotTheSource):
        lines(log, known(TEXT), STARTS)


def test_a_file_that_is_overwritten_while_it_is_read_is_refused(log: Path) -> None:
    with closing(open_content(str(log))) as content:
        found = read_lines(content, known(TEXT), STARTS)
        assert next(found) == LINES[0]
        with log.open("r+b") as file:
            file.write(b"y" * len(TEXT))
        with pytest.raises(NotTheSource):
            list(found)


def test_a_line_that_is_too_long_is_none(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 1 << 14)
    text = b"a\n" + b"x" * (1 << 15) + b"\nb\n"
    log.write_bytes(text)
    assert lines(log, known(text), [0, 2, 2 + (1 << 15) + 1]) == [b"a", None, b"b"]


def test_a_line_in_parts_comes_with_all_of_them(tmp_path: Path) -> None:
    parts = [b"2026-11-27T08:00:00Z stdout " + part for part in (b"P GET /", b"F tea", b"F GET /cups", b"P GET /never")]
    error = b"2026-11-27T08:00:00Z stderr F no cups left"
    path, text = tmp_path / "log", b"".join(line + b"\n" for line in (parts[0], error, *parts[1:]))
    path.write_bytes(text)
    source = known(text)
    source = replace(source, source=replace(source.source, format="cri+combined"))
    starts = [text.index(line) for line in (parts[0], error, *parts[2:])]
    assert lines(path, source, starts) == [b"\n".join(parts[:2]), error, *parts[2:]]
