"""All sources: by their id, and by the inode of their files."""

from __future__ import annotations

from logagg.intake.content import Key
from logagg.intake.reader import Reader


class SourceTable:
    """Sources in the order in which they were entered."""

    def __init__(self) -> None:
        self.readers: dict[str, Reader] = {}
        self._by_key: dict[Key, Reader] = {}

    def enter(self, reader: Reader) -> None:
        """Add a source."""
        self.readers[reader.source.id] = reader
        if reader.source.inode:
            self.attach(reader)

    def attach(self, reader: Reader) -> None:
        """Note the inode of the file in which a source goes on."""
        self._by_key[reader.source.device, reader.source.inode] = reader

    def drop(self, reader: Reader) -> None:
        """Remove a source."""
        del self.readers[reader.source.id]
        self.detach(reader)

    def detach(self, reader: Reader) -> None:
        """Forget the inode of a source's file."""
        key = reader.source.device, reader.source.inode
        if self._by_key.get(key) is reader:
            del self._by_key[key]

    def of_file(self, key: Key) -> Reader | None:
        """Return the source whose file has this device and inode."""
        return self._by_key.get(key)

    def without_file(self) -> frozenset[str]:
        """Return the ids of sources that were read, at least in part, and whose files the last look did not find."""
        return frozenset(id_ for id_, reader in self.readers.items() if not reader.seen and reader.furthest.position)
