"""The states of a source, transition by transition."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

import logagg.intake
from logagg.intake.chunks import Outgrown, ReadLimits, Replaced
from logagg.intake.content import open_content
from logagg.intake.names import describe
from logagg.intake.reader import NEVER, Reader, SourceState
from logagg.intake.registry import new_source
from tests.units.intake.conftest import LONG, MORE, SHORT, Bench, read_on

NOW = 1_800_000_000.0


def look(reader: Reader) -> bool:
    """Look at the file of a source at its known path; return whether it has changed."""
    reader.start_look()
    assert reader.found
    return reader.see(reader.found, Path(reader.found.path).stat(), 1.0)


def append(reader: Reader, data: bytes) -> None:
    with Path(reader.source.path).open("ab") as file:
        file.write(data)


def test_a_known_source_waits_for_its_file() -> None:
    source = new_source("access.log")
    reader = Reader(source, source.head, ReadLimits(), "/access.log")
    assert reader.state is SourceState.WAITING
    assert not reader.has_file()
    assert not reader.has_more()
    assert reader.next() is None
    reader.close()
    assert reader.state is SourceState.WAITING


def test_an_open_source_has_more_until_it_is_read_to_its_end(files: Bench) -> None:
    reader = files.reader("access.log", reads=False)
    assert reader.state is SourceState.OPEN
    assert reader.has_more()
    assert read_on(reader) == LONG
    assert reader.is_read_to_end()
    assert not reader.has_more()
    append(reader, MORE)
    assert not reader.has_more(), "only a look finds new bytes"
    assert look(reader)
    assert reader.has_more()
    assert read_on(reader) == MORE


def test_a_source_is_parked_and_opened_again(files: Bench) -> None:
    reader = files.reader("access.log")
    assert reader.can_be_parked()
    reader.park()
    assert (reader.state, reader.content) == (SourceState.PARKED, None)
    assert not reader.has_more()
    assert reader.is_at_rest(Path(reader.source.path).stat())
    append(reader, MORE)
    assert not reader.is_at_rest(Path(reader.source.path).stat())
    assert look(reader)
    assert reader.has_more()
    assert reader.open(open_content(reader.source.path))
    assert reader.state is SourceState.OPEN
    assert read_on(reader) == MORE


def test_only_a_source_that_is_read_to_its_end_and_at_its_path_is_parked(files: Bench) -> None:
    reader = files.reader("access.log", reads=False)
    assert not reader.can_be_parked(), "it has unread bytes"
    read_on(reader)
    reader.start_look()
    assert not reader.can_be_parked(), "it may have lost its name"


def test_a_finished_source_stays_closed_until_it_grows(files: Bench) -> None:
    reader = files.reader("access.log.1")
    reader.finish()
    assert (reader.state, reader.source.finished) == (SourceState.PARKED, True)
    assert not look(reader)
    assert reader.source.finished
    assert reader.is_at_rest(Path(reader.source.path).stat())
    append(reader, MORE)
    assert look(reader)
    assert reader.has_more()


def test_a_source_that_an_earlier_run_finished_is_not_opened(files: Bench) -> None:
    earlier = files.reader("access.log.1")
    earlier.finish()
    reader = Reader(earlier.source, earlier.fingerprint, ReadLimits(), earlier.stream)
    stat = Path(reader.source.path).stat()
    assert reader.state is SourceState.WAITING
    assert reader.is_at_rest(stat)
    reader.mark_gone("not found", NOW)
    assert not reader.is_at_rest(stat), "it may be a newer file"


def test_a_file_with_other_bytes_is_lost(files: Bench) -> None:
    reader = files.reader("access.log")
    Path(reader.source.path).write_bytes(MORE + LONG)
    assert not reader.is_intact()
    with pytest.raises(Replaced):
        reader.next()
    reader.lose(NOW)
    assert (reader.state, reader.content, reader.seen) == (SourceState.LOST, None, False)
    assert (reader.source.inode, reader.source.gone) == (0, NOW)
    assert not reader.has_more()
    assert not reader.open(files.content(Path(reader.source.path)))
    assert reader.state is SourceState.LOST


def test_a_lost_source_continues_in_a_copy(files: Bench) -> None:
    reader = files.reader("access.log")
    reader.lose(NOW)
    copy = open_content(str(files.write("access.log.1", LONG + MORE)))  # the reader closes it
    assert reader.open(copy)
    reader.take_file(copy.stat(), copy.compression)
    assert reader.see(describe(str(files.folder / "access.log.1")), copy.stat(), 2.0)
    assert reader.state is SourceState.OPEN
    assert (reader.source.inode, reader.source.gone) == (copy.stat().st_ino, 0.0)
    assert reader.former_path == str(files.folder / "access.log")
    assert read_on(reader) == MORE


def test_a_source_whose_inode_belongs_to_another_file_waits(files: Bench) -> None:
    reader = files.reader("access.log")
    reader.park()
    reader.forget_file()
    assert (reader.state, reader.source.gone) == (SourceState.WAITING, 0.0)
    assert not reader.has_file()


def test_a_source_without_a_name_is_read_to_its_end(files: Bench) -> None:
    reader = files.reader("access.log")
    with Path(reader.source.path).open("ab") as writer:
        Path(reader.source.path).unlink()
        reader.start_look()
        writer.write(MORE)
    assert not reader.has_more()
    reader.stat_unseen()
    assert reader.has_more()
    assert read_on(reader) == MORE


def test_a_source_that_is_found_again_has_no_note_of_its_absence(files: Bench) -> None:
    reader = files.reader("access.log")
    reader.close()
    reader.mark_gone("not found any more", NOW)
    append(reader, MORE)
    look(reader)
    assert (reader.source.gone, reader.source.note) == (0.0, "")


def test_a_refused_source_is_read_again_when_it_has_grown(files: Bench) -> None:
    reader = files.reader("access.log", SHORT, reads=False)
    stamp = reader.start_pass()
    assert reader.next()
    reader.refuse()
    reader.end_pass(stamp)
    assert (reader.refused, reader.position, reader.has_more()) == (True, 0, False)
    append(reader, MORE)
    look(reader)
    assert read_on(reader) == SHORT + MORE
    assert not reader.refused


def test_a_refused_source_is_reconsidered_even_if_it_is_finished(files: Bench) -> None:
    reader = files.reader("access.log.1", SHORT, reads=False)
    stamp = reader.start_pass()
    assert reader.next()
    reader.refuse()
    reader.end_pass(stamp)
    reader.finish()
    reader.reconsider()
    assert (reader.source.finished, reader.read_stamp, reader.has_more()) == (False, NEVER, True)


def test_a_source_that_was_not_refused_is_not_reconsidered(files: Bench) -> None:
    reader = files.reader("access.log.1")
    reader.finish()
    reader.reconsider()
    assert reader.source.finished


def test_a_source_that_was_judged_by_few_bytes_is_judged_again_when_it_grows(files: Bench) -> None:
    reader = files.reader("access.log", b"one\n", reads=False)
    assert not reader.outgrew()
    append(reader, b"two\n")
    assert reader.outgrew()
    with pytest.raises(Outgrown):
        reader.next()
    assert reader.position == 0, "the next look decides what it is"


def test_a_known_source_resumes_at_the_position_of_all_shards(files: Bench) -> None:
    reader = files.reader("access.log")
    furthest, stat = reader.fingerprint, Path(reader.source.path).stat()
    half = files.reader("other.log", LONG[: len(LONG) // 2 + 3]).fingerprint
    resumed = Reader(replace(reader.source, inode=stat.st_ino), furthest, ReadLimits(), reader.stream, (), half)
    assert resumed.position == len(LONG), "the file is identified by all that was read"
    assert resumed.open(files.content(Path(reader.source.path)))
    assert resumed.position == half.position
    assert read_on(resumed) == LONG[half.position :]


def test_no_other_module_assigns_its_fields() -> None:
    """Only this module makes the transitions."""
    folder = Path(logagg.intake.__path__[0])
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                owner = ast.unparse(node.value)
                assert owner in ("self", "listing", "self._registry"), f"{path.name}: {owner}.{node.attr}"
