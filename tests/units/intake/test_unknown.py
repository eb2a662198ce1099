"""The records of unknown files, and how long they are valid; and where `--from end` begins."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from logagg.intake.match import SETTLE_SECONDS, Match, MatchKind
from logagg.intake.names import describe
from logagg.intake.reader import Reader
from logagg.intake.unknown import EndPositions, Observation, UnknownFile
from tests.units.intake.conftest import LONG, MORE, SHORT, Bench

NONE: frozenset[str] = frozenset()


def unknown(files: Bench, name: str, *, asked: bool = True) -> UnknownFile:
    path = str(files.folder / name)
    return UnknownFile(replace(describe(path), asked=asked), os.stat(path))


@pytest.fixture
def copy(files: Bench) -> UnknownFile:
    files.write("access.log.1", LONG)
    return unknown(files, "access.log.1")


def judged(copy: UnknownFile, reader: Reader | None, kind: MatchKind | None, *, settled: bool = False) -> Observation:
    """Return a file that was observed at the time 10, with its match."""
    found = Match(reader, kind) if reader and kind else None
    return Observation.of(copy, None, 10.0, 1).judged(found, NONE, settled=settled, passed=False)


# the records between two looks


def test_a_file_that_does_not_change_is_unchanged_since_it_was_found(copy: UnknownFile) -> None:
    first = Observation.of(copy, None, 10.0, 1)
    again = Observation.of(copy, first, 15.0, 4)
    assert (again.since, again.first_look) == (10.0, 1)


def test_a_file_that_grows_is_judged_again_and_keeps_the_time_it_was_found(files: Bench, copy: UnknownFile) -> None:
    first = judged(copy, files.reader("access.log"), "copy")
    files.write("access.log.1", LONG + MORE)
    again = Observation.of(unknown(files, "access.log.1"), first, 15.0, 4)
    assert (again.since, again.first_look, again.match_kind) == (15.0, 1, None)


def test_a_renamed_file_keeps_its_match(files: Bench, copy: UnknownFile) -> None:
    first = judged(copy, files.reader("access.log"), "copy")
    os.rename(copy.found.path, files.folder / "access.log.2")
    again = Observation.of(unknown(files, "access.log.2"), first, 15.0, 4)
    assert (again.first_look, again.match_kind, again.path) == (1, "copy", str(files.folder / "access.log.2"))


def test_a_reused_inode_is_another_file(files: Bench, copy: UnknownFile) -> None:
    first = judged(copy, files.reader("access.log"), "copy")
    os.rename(copy.found.path, files.folder / "other.log")
    files.write("other.log", MORE)
    again = Observation.of(unknown(files, "other.log"), first, 15.0, 4)
    assert (again.first_look, again.since, again.reader, again.match_kind) == (4, 15.0, None, None)


# how long a match is valid


@pytest.mark.parametrize("kind", ["copy", "wait"])
def test_a_match_is_valid_while_neither_file_changes(files: Bench, copy: UnknownFile, kind: MatchKind) -> None:
    seen = judged(copy, files.reader("access.log"), kind)
    assert seen.holds(copy, NONE, 11.0)


def test_a_match_is_invalid_once_the_file_has_changed(files: Bench, copy: UnknownFile) -> None:
    seen = judged(copy, files.reader("access.log"), "copy")
    files.write("access.log.1", LONG + MORE)
    assert not seen.holds(unknown(files, "access.log.1"), NONE, 11.0)


def test_a_waiting_file_is_judged_again_once_it_is_unchanged_for_a_while(files: Bench, copy: UnknownFile) -> None:
    reader = files.reader("access.log")
    later = 10.0 + SETTLE_SECONDS
    assert not judged(copy, reader, "wait").holds(copy, NONE, later)
    assert judged(copy, reader, "wait", settled=True).holds(copy, NONE, later), "only once"
    assert judged(copy, reader, "copy").holds(copy, NONE, later)


def test_a_match_is_invalid_when_the_source_loses_its_file_or_finds_it(files: Bench, copy: UnknownFile) -> None:
    reader = files.reader("access.log")
    seen = judged(copy, reader, "copy")
    reader.start_look()
    assert not seen.holds(copy, NONE, 11.0)
    without = judged(copy, reader, "wait")
    assert without.holds(copy, NONE, 11.0)
    assert reader.found
    reader.see(reader.found, os.stat(reader.source.path), 11.0)
    assert not without.holds(copy, NONE, 11.0)


def test_a_file_beside_the_logs_is_checked_again_when_another_source_loses_its_file(copy: UnknownFile) -> None:
    beside = UnknownFile(replace(copy.found, asked=False), copy.stat)
    seen = Observation.of(beside, None, 10.0, 1).judged(None, frozenset({"a"}), settled=False, passed=False)
    assert seen.holds(beside, NONE, 99.0)
    assert seen.holds(beside, frozenset({"a"}), 99.0)
    assert not seen.holds(beside, frozenset({"a", "b"}), 99.0)


def test_a_requested_file_is_skipped_only_at_the_path_where_it_was_skipped(copy: UnknownFile) -> None:
    assert not judged(copy, None, None).holds(copy, NONE, 11.0)
    passed = Observation.of(copy, None, 10.0, 1).judged(None, NONE, settled=False, passed=True)
    assert passed.holds(copy, NONE, 11.0)


def test_an_archive_in_the_making_is_judged_when_it_has_grown_or_settled(files: Bench, copy: UnknownFile) -> None:
    seen = Observation.of(copy, None, 10.0, 1).postponed(NONE)
    assert seen.holds(copy, NONE, 11.0)
    assert not seen.holds(copy, frozenset({"a"}), 11.0), "a source has lost its file"
    assert not seen.holds(copy, NONE, 10.0 + SETTLE_SECONDS)
    files.write("access.log.1", LONG + MORE)
    assert not seen.holds(unknown(files, "access.log.1"), NONE, 11.0)


# the match of the file


def test_the_size_of_the_original_is_taken_when_the_copy_is_found(files: Bench, copy: UnknownFile) -> None:
    reader = files.reader("access.log")
    seen = judged(copy, reader, "copy")
    assert (seen.original_size, seen.had_file) == (len(LONG), True)
    files.write("access.log", LONG + MORE)
    again = seen.judged(Match(reader, "copy"), NONE, settled=True, passed=False)
    assert again.original_size == len(LONG)
    other = files.reader("other.log", SHORT)
    assert again.judged(Match(other, "wait"), NONE, settled=True, passed=False).original_size == len(SHORT)


def test_a_file_that_differs_from_every_source_is_no_longer_a_copy(files: Bench, copy: UnknownFile) -> None:
    seen = judged(copy, files.reader("access.log"), "copy")
    again = seen.judged(None, frozenset({"a"}), settled=True, passed=False)
    assert (again.reader, again.match_kind, set(again.missing)) == (None, None, {"a"})


# where `--from end` begins


def ends(*known: Reader, started: float = 1e12) -> EndPositions:
    return EndPositions(started, known)


def test_a_log_that_exists_at_the_start_is_read_from_its_end(copy: UnknownFile) -> None:
    assert ends(started=0.0).of(copy, is_first_look=True) == len(LONG)


def test_a_log_that_appears_later_is_read_from_its_start(copy: UnknownFile) -> None:
    assert ends(started=0.0).of(copy, is_first_look=False) is None


def test_a_log_older_than_the_start_is_always_read_from_its_end(copy: UnknownFile) -> None:
    assert ends().of(copy, is_first_look=False) == len(LONG)


def test_a_log_that_was_unreadable_at_the_start_is_read_from_its_end_at_that_time(
    files: Bench, copy: UnknownFile
) -> None:
    positions = ends(started=0.0)
    positions.note(copy)
    files.write("access.log.1", LONG + MORE)
    assert positions.of(unknown(files, "access.log.1"), is_first_look=False) == len(LONG)


def test_logs_in_an_unreadable_directory_may_have_existed_at_the_start(files: Bench, copy: UnknownFile) -> None:
    positions = ends(started=0.0)
    positions.hide(str(files.folder))
    assert positions.of(copy, is_first_look=False) == len(LONG)


def test_the_live_log_of_a_known_stream_is_read_from_its_start(files: Bench) -> None:
    rotated = files.reader("access.log.1")
    files.write("access.log", MORE)
    assert ends(rotated).of(unknown(files, "access.log"), is_first_look=True) is None


def test_only_generations_younger_than_the_known_ones_are_read_from_their_start(files: Bench) -> None:
    known = files.reader("access.log.2")
    for name in ("access.log.1", "access.log.3"):
        files.write(name, MORE)
    assert ends(known).of(unknown(files, "access.log.1"), is_first_look=True) is None
    assert ends(known).of(unknown(files, "access.log.3"), is_first_look=True) == len(MORE)


def test_if_all_known_generations_are_deleted_the_time_decides(files: Bench) -> None:
    known = files.reader("access.log.5")
    os.unlink(known.source.path)
    known.start_look()
    for name, shift in (("access.log.1", 60), ("access.log.3", -60)):
        path, at = files.write(name, MORE), known.source.modified + shift
        os.utime(path, (at, at))
    assert ends(known).of(unknown(files, "access.log.1"), is_first_look=True) is None
    assert ends(known).of(unknown(files, "access.log.3"), is_first_look=True) == len(MORE)
