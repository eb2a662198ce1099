"""Which files hold what was read of a source, perhaps on another machine."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest

from logagg.intake import discover, match
from logagg.intake.content import FINGERPRINT_BYTES, fingerprint_of
from logagg.intake.registry import new_source
from logagg.records import KnownSource, Progress

READ = b"".join(b"line %d of a log\n" % number for number in range(200))
OTHER = READ.replace(b"log", b"pod")


def known(path: Path, read: bytes = READ) -> KnownSource:
    """A source as it was after these bytes were read of a file that is there now."""
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
def test_content_decides_whatever_device_and_inode_say(log: Path, content: bytes, is_held: bool) -> None:
    log.write_bytes(content)
    assert held(known(log), log) is is_held


def test_wherever_the_file_is_now(log: Path, tmp_path: Path) -> None:
    log.write_bytes(READ)
    one = known(log)
    log.rename(tmp_path / "access.log.1")
    log.write_bytes(OTHER)
    assert held(one, tmp_path)
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(READ))
    (tmp_path / "access.log.1").unlink()
    assert held(one, tmp_path)


def test_of_what_nothing_was_read_nothing_can_be_held(log: Path) -> None:
    log.write_bytes(b"")
    assert not held(known(log, b""), log)


def test_an_archive_that_has_not_changed_is_not_decompressed(log: Path, tmp_path: Path) -> None:
    archive = tmp_path / "access.log.1.gz"
    archive.write_bytes(gzip.compress(READ))
    stat, other = os.stat(archive), known(archive, READ[:FINGERPRINT_BYTES] + OTHER[FINGERPRINT_BYTES:])
    assert not held(other, archive)
    assert held(replace(other, source=replace(other.source, size=stat.st_size, modified=stat.st_mtime)), archive)


def test_what_cannot_be_read_is_passed_over(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(path)

    log.write_bytes(READ)
    monkeypatch.setattr(match, "open_content", refuse)
    assert not held(known(log), log)
