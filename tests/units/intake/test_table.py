"""Sources by their id and by the inode of their files."""

from __future__ import annotations

from logagg.intake.table import SourceTable
from tests.units.intake.conftest import Bench


def test_a_source_is_found_by_its_inode_until_its_file_is_detached(files: Bench) -> None:
    table, reader = SourceTable(), files.reader("a.log")
    key = reader.source.device, reader.source.inode
    assert table.of_file(key) is None
    table.enter(reader)
    assert table.of_file(key) is reader
    table.detach(reader)
    assert table.of_file(key) is None
    assert list(table.readers.values()) == [reader]
    table.attach(reader)
    table.drop(reader)
    assert (table.of_file(key), table.readers) == (None, {})


def test_a_source_does_not_detach_the_file_of_another(files: Bench) -> None:
    table, one, other = SourceTable(), files.reader("a.log"), files.reader("b.log")
    table.enter(one)
    other.source = one.source
    table.attach(other)
    table.detach(one)  # its inode is now that of the other's file
    assert table.of_file((one.source.device, one.source.inode)) is other


def test_a_source_without_an_inode_is_entered_by_its_id_only(files: Bench) -> None:
    table, reader = SourceTable(), files.reader("a.log")
    reader.lose(1.0)
    table.enter(reader)
    assert table.of_file((0, 0)) is None
    assert table.readers == {reader.source.id: reader}


def test_sources_without_a_file_are_those_that_were_read_and_not_found(files: Bench) -> None:
    table = SourceTable()
    seen, gone, unread = files.reader("a.log"), files.reader("b.log"), files.reader("c.log", reads=False)
    for reader in (seen, gone, unread):
        table.enter(reader)
    for reader in (gone, unread):
        reader.start_look()
    assert table.without_file() == {gone.source.id}
