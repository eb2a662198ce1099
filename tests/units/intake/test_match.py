"""Which files are a source, a copy of one, or neither; and which have its content, perhaps on another machine."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest

from logagg.intake import discover, match
from logagg.intake.content import FINGERPRINT_BYTES, fingerprint_of
from logagg.intake.match import MatchKind, continued
from logagg.intake.reader import Reader
from logagg.intake.registry import new_source
from logagg.intake.similar import Candidate, SourceIndex
from logagg.records import KnownSource, Progress
from tests.units.intake.conftest import LONG, MORE, SHORT, Bench

READ = b"".join(b"line %d of a log\n" % number for number in range(200))
OTHER = READ.replace(b"log", b"pod")


def known(path: Path, read: bytes = READ) -> KnownSource:
    """Return a source after these bytes of an existing file were read."""
    stat = os.stat(path)
    first = read[:FINGERPRINT_BYTES]
    source = replace(
        new_source(str(path)), device=stat.st_dev, inode=stat.st_ino, head=fingerprint_of(len(first), first)
    )
    return KnownSource(source, {0: Progress(len(read), 200, fingerprint_of(len(read), read))})


def held(one: KnownSource, *paths: Path) -> bool:
    return match.sources_in([one], discover.find([str(path) for path in paths])) == [one]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.mark.parametrize(
    ("content", "is_held"),
    [
        (READ, True),
        (READ + b"more\n", True),
        (OTHER, False),
        (OTHER + READ, False),
        (READ[:FINGERPRINT_BYTES] + OTHER[FINGERPRINT_BYTES:], False),
        (READ[:-1], False),
        (b"", False),
    ],
)
def test_content_decides_regardless_of_device_and_inode(log: Path, content: bytes, is_held: bool) -> None:
    log.write_bytes(content)
    assert held(known(log), log) is is_held


def test_the_file_may_be_in_any_place(log: Path, tmp_path: Path) -> None:
    log.write_bytes(READ)
    one = known(log)
    log.rename(tmp_path / "access.log.1")
    log.write_bytes(OTHER)
    assert held(one, tmp_path)
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(READ, mtime=0))
    (tmp_path / "access.log.1").unlink()
    assert held(one, tmp_path)


def test_an_unread_source_matches_no_content(log: Path) -> None:
    log.write_bytes(b"")
    assert not held(known(log, b""), log)


def test_an_archive_that_has_not_changed_is_not_decompressed(log: Path, tmp_path: Path) -> None:
    archive = tmp_path / "access.log.1.gz"
    archive.write_bytes(gzip.compress(READ, mtime=0))
    stat, other = os.stat(archive), known(archive, READ[:FINGERPRINT_BYTES] + OTHER[FINGERPRINT_BYTES:])
    assert not held(other, archive)
    assert held(replace(other, source=replace(other.source, size=stat.st_size, modified=stat.st_mtime)), archive)


def test_unreadable_files_are_skipped(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(path)

    log.write_bytes(READ)
    monkeypatch.setattr(match, "open_content", refuse)
    assert not held(known(log), log)


# a file beside that of a source


@pytest.mark.parametrize(
    ("name", "data", "early", "settled"),
    [
        ("access.log.1", LONG, "copy", "copy"),
        ("found-later", LONG, "copy", "copy"),
        ("access.log.1", LONG[:2000], "copy", "copy"),
        ("access.log.1", LONG + MORE, "same", "same"),
        ("found-later", LONG + MORE, None, None),
        ("access.log.1", LONG[:2000] + MORE, None, None),
        ("access.log.1", MORE, None, None),
        ("access.log.1.gz", gzip.compress(LONG, mtime=0), "wait", "copy"),
        ("access.log.1.gz", gzip.compress(LONG, mtime=0)[:400], "wait", "wait"),
        ("access.log.1.gz", gzip.compress(LONG + MORE, mtime=0), "wait", "same"),
        ("shop.access.log", LONG, None, None),
    ],
)
def test_matches_of_a_file_beside_a_long_log(
    files: Bench, name: str, data: bytes, early: MatchKind | None, settled: MatchKind | None
) -> None:
    reader = files.reader("access.log")
    candidate = files.candidate(name, data)
    assert kinds(candidate, reader) == (early, settled)


@pytest.mark.parametrize(
    ("name", "data", "early", "settled"),
    [
        ("access.log.1", SHORT, "wait", None),
        ("access.log.1", SHORT[:4], "wait", None),
        ("access.log.1", b"other\n", None, None),
        ("access.log.1", SHORT + b"more\n", None, None),
        ("access.log~", SHORT, "copy", "copy"),
        ("access.log.bak", SHORT[:4], "copy", "copy"),
        ("access.log.1.gz", gzip.compress(SHORT, mtime=0), "copy", "copy"),
        ("access.log.1.gz", gzip.compress(SHORT, mtime=0)[:12], "wait", "wait"),
        ("found-later", SHORT, None, None),
    ],
)
def test_matches_of_a_file_beside_a_short_log(
    files: Bench, name: str, data: bytes, early: MatchKind | None, settled: MatchKind | None
) -> None:
    reader = files.reader("access.log", SHORT)
    assert kinds(files.candidate(name, data), reader) == (early, settled)


def test_two_equal_logs_that_are_found_together_are_two(files: Bench) -> None:
    reader = files.reader("idle-site", look=2)
    assert kinds(files.candidate("another", look=2), reader) == (None, None)
    assert kinds(files.candidate("idle-site.1", look=2), reader) == ("copy", "copy"), "related names make one log"


def test_an_unrequested_file_does_not_replace_that_of_a_source(files: Bench) -> None:
    reader = files.reader("access.log")
    assert kinds(files.candidate("access.log.1", LONG + MORE, asked=False), reader) == (None, None)


def test_the_next_generation_may_begin_as_the_last_one_did(files: Bench) -> None:
    rotated = files.reader("access.log.1", LONG + MORE)
    assert kinds(files.candidate("access.log", LONG), rotated) == (None, None)


# a source without a file


@pytest.mark.parametrize(
    ("name", "data", "early", "settled"),
    [
        ("access.log.1", LONG[:2000], "wait", "copy"),  # deleted in steps, or an earlier state of the log
        ("access.log", LONG[:2000], None, None),  # truncated, and written again
        ("access.log.1", LONG[:2000] + MORE, None, None),
        ("access.log.1.gz", gzip.compress(LONG, mtime=0)[:400], "wait", "wait"),  # being compressed
    ],
)
def test_matches_where_a_source_has_no_file(
    files: Bench, name: str, data: bytes, early: MatchKind | None, settled: MatchKind | None
) -> None:
    reader = files.reader("access.log")
    reader.lose(1.0)
    candidate = files.candidate(name, data)
    assert continued(candidate, [reader]) is None
    assert kinds(candidate, reader) == (early, settled)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("access.log", LONG),
        ("any-name", LONG + MORE),
        ("any-name.gz", gzip.compress(LONG, mtime=0)),
    ],
)
def test_a_source_without_a_file_continues_in_any_file_with_all_its_content(
    files: Bench, name: str, data: bytes
) -> None:
    reader = files.reader("access.log")
    reader.lose(1.0)
    assert continued(files.candidate(name, data), [reader]) is reader


@pytest.mark.parametrize(
    ("name", "goes_on"),
    [
        ("access.log.1", True),
        ("access.log", True),
        ("access.log.1.gz", True),
        ("any-name.gz", True),
        ("any-name", False),
    ],
)
def test_a_short_source_continues_only_under_a_related_name(files: Bench, name: str, goes_on: bool) -> None:
    reader = files.reader("access.log", SHORT)
    reader.lose(1.0)
    data = gzip.compress(SHORT, mtime=0) if name.endswith(".gz") else SHORT
    assert (continued(files.candidate(name, data), [reader]) is reader) is goes_on


def test_a_source_with_a_file_continues_in_no_other(files: Bench) -> None:
    reader = files.reader("access.log")
    assert continued(files.candidate("access.log.1"), [reader]) is None
    os.unlink(reader.source.path)
    reader.start_look()
    assert continued(files.candidate("access.log.1"), [reader]) is reader, "its file has lost its name"


def kinds(candidate: Candidate, reader: Reader) -> tuple[MatchKind | None, ...]:
    """Return the match at once, and the match once the file has not changed for a while."""
    found = [match.match(candidate, SourceIndex([reader]).similar_to(candidate), settled=one) for one in (False, True)]
    return tuple(one.kind if one else None for one in found)


def test_all_decisions_use_the_same_first_bytes(files: Bench) -> None:
    """A file that grows meanwhile is still judged by the first bytes that were read of it."""
    candidate = files.candidate("access.log.2.gz", gzip.compress(LONG, mtime=0)[:12])
    assert candidate.first == b""
    files.write("access.log.2.gz", gzip.compress(LONG, mtime=0))
    assert candidate.first == b""
