"""How many logs stay open, and which of them is closed first."""

from __future__ import annotations

import gzip
import resource

import pytest

from logagg.errors import SourceError
from logagg.intake import open_files
from logagg.intake.open_files import FEWEST, RESERVE, OpenFiles, allowance
from logagg.intake.reader import SourceState
from tests.units.intake.conftest import LONG, SHORT, Bench


def test_there_is_room_up_to_the_limit(files: Bench) -> None:
    opened = OpenFiles(2)
    assert opened.close_idle()
    opened.opened(files.reader("a.log"))
    assert opened.close_idle()
    assert not opened.crowded


def test_the_log_that_was_read_longest_ago_is_parked_first(files: Bench) -> None:
    opened, readers = OpenFiles(2), [files.reader(name) for name in ("a.log", "b.log")]
    for reader in (*readers, readers[0]):
        opened.opened(reader)
    assert opened.close_idle()
    assert [reader.state for reader in readers] == [SourceState.OPEN, SourceState.PARKED]
    assert opened.crowded


def test_a_log_with_unread_bytes_stays_open(files: Bench) -> None:
    opened, reader = OpenFiles(2), files.reader("b.log")
    busy = files.reader("a.log", reads=False)
    opened.opened(busy)
    opened.opened(reader)
    assert opened.close_idle()
    assert [busy.state, reader.state] == [SourceState.OPEN, SourceState.PARKED]
    opened.opened(files.reader("c.log", reads=False))
    assert not opened.close_idle(), "all open ones have unread bytes"


def test_a_log_without_a_name_stays_open(files: Bench) -> None:
    opened = OpenFiles(2)
    deleted, archive = files.reader("a.log"), files.reader("a.log.2.gz", gzip.compress(LONG)[:-20])
    deleted.start_look()
    for reader in (deleted, archive):
        opened.opened(reader)
    assert opened.close_idle()
    assert [deleted.state, archive.state] == [SourceState.OPEN, SourceState.PARKED]


def test_one_that_was_read_beyond_the_limit_is_parked_when_its_turn_is_over(files: Bench) -> None:
    opened = OpenFiles(2)
    busy = [files.reader(f"{number}.log", reads=False) for number in range(3)]
    for reader in busy:  # two are being read, and have changed meanwhile
        opened.opened(reader)
    opened.rest(busy[2])
    assert [reader.state for reader in busy] == [SourceState.OPEN] * 2 + [SourceState.PARKED]
    opened.rest(busy[1])
    assert busy[1].state is SourceState.OPEN, "no more are open than may be"


def test_one_that_was_closed_takes_no_room(files: Bench) -> None:
    opened, reader = OpenFiles(1), files.reader("a.log", SHORT, reads=False)
    opened.opened(reader)
    assert not opened.close_idle()
    reader.close()
    assert opened.close_idle()


def test_as_many_as_necessary_are_parked(files: Bench) -> None:
    opened = OpenFiles(2)
    readers = [files.reader(f"{number}.log") for number in range(4)]
    for reader in readers:  # as after a look that opened further files, which are read now
        opened.opened(reader)
    assert opened.close_idle()
    assert [reader.state for reader in readers] == [SourceState.PARKED] * 3 + [SourceState.OPEN]


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Set the soft and the hard limit of a process with ten descriptors in use."""
    limits = [256, 1000]

    def set_limit(_: int, wanted: tuple[int, int]) -> None:
        limits[:] = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    monkeypatch.setattr(open_files, "_in_use", lambda: 10)
    return limits


def test_the_limit_is_raised_and_some_are_kept_free(limits: list[int]) -> None:
    assert allowance(30) == 1000 - 10 - RESERVE - 30
    assert limits == [1000, 1000]


def test_a_limit_that_is_too_low_is_an_error(limits: list[int]) -> None:
    limits[:] = [70, 70]
    with pytest.raises(SourceError, match=f"logagg needs {10 + RESERVE + 48 + FEWEST} at least"):
        allowance(48)
