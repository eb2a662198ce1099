"""The states of sources' files, as looks find the files: each test walks the registry from one state to the next."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from logagg.clock import ManualClock
from logagg.intake.chunks import ReadLimits
from logagg.intake.names import describe
from logagg.intake.open_files import OpenFiles
from logagg.intake.reader import Reader, SourceState
from logagg.intake.registry import SourceRegistry
from logagg.notices import Notice, log_without_format
from logagg.records import KnownSource, Progress
from tests.units.intake.conftest import LONG, MORE, SHORT, read_on

WAITING, OPEN, PARKED, LOST = SourceState.WAITING, SourceState.OPEN, SourceState.PARKED, SourceState.LOST
LOG, ROTATED = "access.log", "access.log.1"


class Logs:
    """A directory of logs, and the registry of a run that looks at them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.notices = folder, ManualClock(), list[Notice]()
        self._registries: list[SourceRegistry] = []
        self.start()

    def start(self, *known: KnownSource, most: int = 10) -> None:
        """Begin a run that knows these sources, in which `most` files may stay open."""
        self.registry = SourceRegistry(known, ReadLimits(), self.clock, self.notices.append, OpenFiles(most))
        self._registries.append(self.registry)

    def write(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)

    def append(self, name: str, data: bytes) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(data)

    def rename(self, old: str, new: str) -> None:
        (self.folder / old).rename(self.folder / new)

    def look(self) -> None:
        """Look at all files of the directory."""
        self.registry.identify([describe(str(path)) for path in sorted(self.folder.iterdir())])

    def settle(self) -> None:
        """Look, and look again some seconds later, when decisions that were postponed are due."""
        self.look()
        self.clock.sleep(5)
        self.look()

    def source(self, name: str = LOG) -> Reader:
        """Return the only source whose file had this path when it was last found."""
        path = str(self.folder / name)
        [found] = [one for one in self.registry.readers.values() if one.source.path == path and not one.source.gone]
        return found

    def began(self, data: bytes = LONG) -> Reader:
        """Return the source of a log that was found and read to its end."""
        self.write(LOG, data)
        self.settle()
        reader = self.source()
        assert read_on(reader) == data
        return reader

    def take_notices(self) -> list[tuple[str, str]]:
        """Return the kinds and the files of the notices since the last call."""
        taken = [(one.kind, os.path.basename(str(one.fields.get("path", "")))) for one in self.notices]
        self.notices.clear()
        return taken

    def close(self) -> None:
        for registry in self._registries:
            for reader in registry.readers.values():
                reader.close()


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    made = Logs(tmp_path)
    yield made
    made.close()


def committed(reader: Reader) -> KnownSource:
    """Return a source as the lake has it once all that was read of it is committed."""
    return KnownSource(reader.source, {0: Progress(reader.position, 0, reader.fingerprint)})


def state(reader: Reader) -> tuple[SourceState, bool]:
    """Return the state of a source's file, and whether the last look found it."""
    return reader.state, reader.seen


# a file without a source


def test_a_new_file_is_open_and_announced_once(logs: Logs) -> None:
    reader = logs.began()
    logs.settle()
    assert state(reader) == (OPEN, True)
    assert logs.take_notices() == [("source", LOG)]
    assert logs.registry.is_known((reader.source.device, reader.source.inode))


def test_two_names_of_one_file_are_one_source(logs: Logs) -> None:
    reader = logs.began()
    os.link(logs.folder / LOG, logs.folder / "same.log")
    logs.settle()
    assert list(logs.registry.readers.values()) == [reader]


# open


def test_a_renamed_file_stays_open_under_its_new_name(logs: Logs) -> None:
    reader = logs.began()
    logs.rename(LOG, ROTATED)
    logs.look()
    assert state(reader) == (OPEN, True)
    assert (reader.source.path, reader.former_path) == (str(logs.folder / ROTATED), str(logs.folder / LOG))


def test_a_rotation_makes_a_second_source_and_keeps_the_first(logs: Logs) -> None:
    reader = logs.began()
    logs.rename(LOG, ROTATED)
    logs.write(LOG, MORE)
    logs.settle()
    assert [logs.source(ROTATED), logs.source()] == list(logs.registry.readers.values())
    assert reader is logs.source(ROTATED)
    assert read_on(logs.source()) == MORE


def test_a_deleted_file_is_read_to_its_end_while_it_is_open(logs: Logs) -> None:
    reader = logs.began()
    logs.append(LOG, MORE)
    (logs.folder / LOG).unlink()
    logs.look()
    logs.registry.miss()
    assert state(reader) == (OPEN, False)
    assert not reader.source.gone
    assert logs.registry.is_ready(reader)
    assert read_on(reader) == MORE


def test_an_overwritten_file_is_lost_and_its_content_is_a_new_source(logs: Logs) -> None:
    reader = logs.began()
    logs.take_notices()
    logs.write(LOG, MORE[: len(LONG) // 2])
    logs.settle()
    assert state(reader) == (LOST, False)
    assert (reader.source.inode, reader.source.gone) == (0, logs.clock.now() - 5)
    assert reader.source.note.startswith(f"truncated or replaced after {len(LONG):,} bytes were read")
    assert logs.source() is not reader
    assert sorted(logs.take_notices()) == [("source", LOG), ("truncated", LOG)]


def test_a_lost_source_is_not_ready(logs: Logs) -> None:
    reader = logs.began()
    logs.write(LOG, MORE)
    logs.settle()
    assert not logs.registry.is_ready(reader)
    assert logs.registry.is_ready(logs.source())


def test_a_file_that_outgrew_the_bytes_it_was_judged_by_is_judged_again(logs: Logs) -> None:
    logs.write(LOG, SHORT)
    logs.settle()
    early = logs.source()
    logs.append(LOG, LONG)
    assert not logs.registry.is_ready(early)
    assert early.state is WAITING
    assert early not in logs.registry.readers.values()
    logs.settle()
    assert read_on(logs.source()) == SHORT + LONG


# parked


def test_a_log_that_is_let_go_is_parked_and_finished(logs: Logs) -> None:
    reader = logs.began()
    logs.registry.changed = False
    logs.registry.let_go(reader)
    assert (reader.state, reader.source.finished, logs.registry.changed) == (PARKED, True, True)
    logs.look()
    assert state(reader) == (PARKED, True)


def test_a_parked_log_is_open_again_once_it_has_grown(logs: Logs) -> None:
    reader = logs.began()
    logs.registry.let_go(reader)
    logs.append(LOG, MORE)
    logs.look()
    assert state(reader) == (OPEN, True)
    assert not reader.source.finished
    assert read_on(reader) == MORE


def test_a_parked_log_that_was_overwritten_is_lost(logs: Logs) -> None:
    reader = logs.began()
    logs.registry.let_go(reader)
    logs.write(LOG, MORE)
    logs.look()
    assert reader.state is LOST


def test_a_parked_log_whose_inode_is_another_log_now_waits_for_its_own(logs: Logs) -> None:
    reader = logs.began()
    reader.park()
    logs.rename(LOG, "other.log")
    logs.write("other.log", MORE)
    logs.settle()
    assert state(reader) == (WAITING, False)
    assert reader.source.path == str(logs.folder / LOG)
    assert read_on(logs.source("other.log")) == MORE


def test_a_parked_log_without_a_file_is_gone_and_its_bytes_are_said_to_be_lost(logs: Logs) -> None:
    reader = logs.began()
    reader.park()
    (logs.folder / LOG).unlink()
    logs.look()
    logs.take_notices()
    logs.registry.miss()
    assert reader.source.gone == logs.clock.now()
    assert reader.source.note.startswith(f"no longer found after {len(LONG):,} bytes were read")
    assert logs.take_notices() == [("gone", LOG)]


def test_a_finished_log_without_a_file_is_gone_silently(logs: Logs) -> None:
    reader = logs.began()
    logs.registry.let_go(reader)
    (logs.folder / LOG).unlink()
    logs.look()
    logs.take_notices()
    logs.registry.miss()
    assert (reader.source.gone, reader.source.note) == (logs.clock.now(), "")
    assert logs.take_notices() == []


def test_a_log_of_which_nothing_was_read_is_dropped_when_it_is_let_go_without_a_file(logs: Logs) -> None:
    logs.write(LOG, LONG)
    logs.settle()
    reader = logs.source()
    (logs.folder / LOG).unlink()
    logs.look()
    logs.registry.let_go(reader)
    assert not logs.registry.readers


def test_the_log_that_was_read_first_is_parked_for_one_too_many(logs: Logs) -> None:
    logs.start(most=1)
    first = logs.began()
    logs.write("other.log", MORE)
    logs.settle()
    other = logs.source("other.log")
    assert (first.state, other.state) == (PARKED, OPEN)


def test_a_log_beyond_the_limit_is_opened_for_its_turn_and_parked_after_it(logs: Logs) -> None:
    logs.start(most=1)
    logs.write(LOG, LONG)
    logs.write("other.log", MORE)
    logs.settle()
    parked = next(one for one in logs.registry.readers.values() if one.state is PARKED)
    assert logs.registry.is_ready(parked)
    assert parked.state is OPEN
    logs.registry.rest(parked)
    assert parked.state is PARKED
    assert ("descriptors", "") in logs.take_notices()


# lost, or without a file


def test_a_lost_source_goes_on_in_a_copy(logs: Logs) -> None:
    reader = logs.began()
    logs.write(ROTATED, LONG + MORE)  # copytruncate: the copy first, with lines that were not read yet
    logs.write(LOG, SHORT)
    logs.settle()
    assert state(reader) == (OPEN, True)
    assert reader is logs.source(ROTATED)
    assert reader.source.note.startswith("copied and truncated")
    assert read_on(reader) == MORE


def test_a_source_goes_on_in_its_compressed_file(logs: Logs) -> None:
    reader = logs.began()
    logs.write(f"{ROTATED}.gz", gzip.compress(LONG + MORE))
    (logs.folder / LOG).unlink()
    reader.park()
    logs.settle()
    assert (reader.state, reader.source.compression) == (OPEN, "gz")
    assert reader.source.path == str(logs.folder / f"{ROTATED}.gz")
    assert read_on(reader) == MORE


def test_a_file_that_comes_back_is_the_source_that_was_gone(logs: Logs) -> None:
    reader = logs.began()
    reader.park()
    (logs.folder / LOG).rename(logs.folder.parent / "away")
    logs.look()
    logs.registry.miss()
    assert reader.source.gone
    (logs.folder.parent / "away").rename(logs.folder / LOG)
    logs.registry.changed = False
    logs.look()
    assert (reader.seen, reader.source.gone, reader.source.note) == (True, 0.0, "")
    assert logs.registry.changed


def test_a_source_is_forgotten_when_it_was_gone_long_enough(logs: Logs) -> None:
    reader = logs.began()
    reader.park()
    (logs.folder / LOG).unlink()
    logs.look()
    logs.registry.miss()
    logs.clock.sleep(100)
    logs.registry.forget(100)
    assert logs.registry.readers
    logs.clock.sleep(1)
    logs.registry.forget(100)
    assert not logs.registry.readers
    assert not logs.registry.is_known((reader.source.device, reader.source.inode))


def test_a_source_with_a_file_is_never_forgotten(logs: Logs) -> None:
    reader = logs.began()
    logs.clock.sleep(1_000)
    logs.registry.forget(100)
    assert list(logs.registry.readers.values()) == [reader]


# sources of an earlier run


def test_a_known_source_waits_until_a_look_finds_its_file(logs: Logs) -> None:
    before = committed(logs.began())
    logs.start(before)
    [reader] = logs.registry.readers.values()
    assert state(reader) == (WAITING, False)
    logs.append(LOG, MORE)
    logs.look()
    assert state(reader) == (OPEN, True)
    assert read_on(reader) == MORE


def test_a_finished_source_that_has_not_changed_is_not_opened(logs: Logs) -> None:
    finished = logs.began()
    logs.registry.let_go(finished)
    logs.start(committed(finished))
    logs.look()
    [reader] = logs.registry.readers.values()
    assert state(reader) == (WAITING, True)


def test_a_known_source_whose_file_was_overwritten_is_lost(logs: Logs) -> None:
    before = committed(logs.began())
    logs.start(before)
    logs.write(LOG, MORE)
    logs.look()
    reader = logs.registry.readers[before.source.id]
    assert state(reader) == (LOST, False)


def test_a_known_source_whose_inode_is_another_log_now_waits_for_its_own(logs: Logs) -> None:
    before = committed(logs.began())
    logs.rename(LOG, "other.log")
    logs.write("other.log", MORE)
    logs.start(before)
    logs.settle()
    reader = logs.registry.readers[before.source.id]
    assert state(reader) == (WAITING, False)
    assert logs.source("other.log") is not reader
    assert logs.registry.missing == {before.source.id}
    logs.write(LOG, LONG + MORE)
    logs.settle()
    assert state(reader) == (OPEN, True)
    assert read_on(reader) == MORE


# notices


def test_a_notice_is_reported_once_for_each_kind_and_path(logs: Logs) -> None:
    for _ in range(2):
        logs.registry.tell(log_without_format("a.log", "no format"))
        logs.registry.tell(log_without_format("b.log", "no format"))
    assert logs.take_notices() == [("format", "a.log"), ("format", "b.log")]


def test_a_log_that_was_readable_again_is_reported_again(logs: Logs) -> None:
    logs.began()
    logs.take_notices()
    denied, found = PermissionError(13, "Permission denied"), describe(str(logs.folder / LOG))
    logs.registry.refuse(found, denied)
    logs.registry.refuse(found, denied)
    assert logs.take_notices() == [("unreadable", LOG)]
    logs.append(LOG, MORE)
    logs.look()
    logs.registry.refuse(found, denied)
    assert logs.take_notices() == [("unreadable", LOG)]
