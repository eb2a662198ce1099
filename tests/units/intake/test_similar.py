"""Which sources begin like a file."""

from __future__ import annotations

import gzip
import os

import pytest

from logagg.intake.content import FINGERPRINT_BYTES
from logagg.intake.reader import Reader
from logagg.intake.similar import SourceIndex, first_of, head_of
from tests.units.intake.conftest import LONG, MORE, SHORT, Bench, read_on

PACKED = gzip.compress(LONG, mtime=0)


def test_sources_are_found_by_their_first_bytes(files: Bench) -> None:
    long, short, other = files.reader("a.log"), files.reader("b.log", LONG[:20]), files.reader("c.log", MORE)
    index = SourceIndex([long, short, other])
    assert set(index.similar_to(files.candidate("d.log"))) == {long, short}
    assert index.similar_to(files.candidate("e.log", b"else\n" * 1000)) == []


def test_the_most_likely_source_comes_first(files: Bench) -> None:
    readers = [files.reader("one/a.log".replace("/", "-")), files.reader("a.log"), files.reader("b.log")]
    index = SourceIndex(readers)
    assert index.similar_to(files.candidate("a.log.1"))[0] is readers[1], "in the same stream"
    readers[2].lose(1.0)
    assert index.similar_to(files.candidate("b.log"))[0] is readers[2], "in the same place"


def test_a_file_too_short_for_a_fingerprint_is_compared_with_its_stream(files: Bench) -> None:
    reader = files.reader("access.log")
    index = SourceIndex([reader, files.reader("other.log")])
    assert index.similar_to(files.candidate("access.log.1", LONG[:20])) == [reader]
    assert index.similar_to(files.candidate("access.log.2.gz", gzip.compress(LONG, mtime=0)[:12])) == [reader]


def test_an_unread_source_is_known_by_the_content_of_its_file(files: Bench) -> None:
    reader = files.reader("a.log", reads=False)
    assert SourceIndex([reader]).similar_to(files.candidate("b.log")) == [reader]
    assert read_on(reader) == LONG


def short_of_a_fingerprint(files: Bench, name: str) -> bytes:
    """Return the first part of an archive of LONG of which some bytes can be read, but less than a fingerprint covers."""
    parts = (PACKED[:end] for end in range(20, len(PACKED), 20))
    return next(part for part in parts if 0 < len(files.candidate(name, part).first) < FINGERPRINT_BYTES)


@pytest.mark.parametrize("how", ["open", "closed", "with the head of its first chunk"])
def test_an_archive_in_the_making_is_compared_with_every_source(files: Bench, how: str) -> None:
    reader, other = files.reader("access.log"), files.reader("other.log", MORE)
    if how == "closed":
        restarted(reader)
    elif how != "open":
        reader.first = LONG[:300]
    candidate = files.candidate("anything.gz", short_of_a_fingerprint(files, "anything.gz"))
    assert candidate.is_half_made
    assert SourceIndex([other, reader]).similar_to(candidate) == [reader]


def restarted(reader: Reader) -> None:
    """Bring a source into the state of one that an earlier run has finished: its file is found, and not opened."""
    reader.close()
    reader.first = b""


@pytest.mark.parametrize("packed", [PACKED, PACKED[:-20], gzip.compress(SHORT, mtime=0), LONG[:20]])
def test_what_is_whole_or_long_enough_is_not_half_made(files: Bench, packed: bytes) -> None:
    assert not files.candidate("access.log.1.gz", packed).is_half_made


def test_a_source_begins_as_its_file_while_that_holds_what_was_read(files: Bench) -> None:
    reader = files.reader("a.log", LONG.splitlines(keepends=True)[0])
    assert reader.found
    reader.see(reader.found, os.stat(files.write("a.log", LONG)), 1.0)
    assert first_of(reader) == LONG[:FINGERPRINT_BYTES]
    assert head_of(reader).length == FINGERPRINT_BYTES
    files.write("a.log", MORE)
    assert first_of(reader) == reader.first
    restarted(reader)
    assert first_of(reader) == b"", "its file holds other bytes"


def test_a_source_without_a_file_begins_with_what_was_read(files: Bench) -> None:
    reader = files.reader("a.log", SHORT)
    os.unlink(reader.source.path)
    reader.close()
    assert first_of(reader) == SHORT
