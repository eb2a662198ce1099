"""Sources and files in the state after a look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from logagg.intake.chunks import ReadLimits
from logagg.intake.content import Content, open_content
from logagg.intake.names import describe
from logagg.intake.reader import Reader
from logagg.intake.registry import new_source
from logagg.intake.similar import Candidate

LONG = b"".join(b"line %d of a log\n" % number for number in range(200))
MORE = b"".join(b"line %d that came later\n" % number for number in range(200))
SHORT = b"one\ntwo\n"


class Bench:
    """Makes readers and candidates of files, and closes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened: list[Reader | Content] = []

    def write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def reader(self, name: str, data: bytes = LONG, *, look: int = 1, reads: bool = True) -> Reader:
        """Return a source whose file a look has found and opened; `reads`: it was read to the end."""
        content = self.content(self.write(name, data))
        stat, found = content.stat(), describe(str(self.folder / name))
        source = replace(new_source(found.path), device=stat.st_dev, inode=stat.st_ino, compression=content.compression)
        reader = Reader(source, source.head, ReadLimits(), found.stream)
        reader.begin(look, stat.st_size, len(content.first()), announced=True)
        self._opened[-1] = reader
        assert reader.open(content)
        reader.see(found, stat, 0.0)
        if reads:
            read_on(reader)
        return reader

    def candidate(self, name: str, data: bytes = LONG, *, look: int = 2, asked: bool = True) -> Candidate:
        """Return an unknown file that a look has found."""
        content = self.content(self.write(name, data))
        return Candidate(replace(describe(str(self.folder / name)), asked=asked), content, content.stat(), 0.0, look)

    def content(self, path: Path) -> Content:
        content = open_content(str(path))
        self._opened.append(content)
        return content

    def close(self) -> None:
        for one in self._opened:
            one.close()


def read_on(reader: Reader) -> bytes:
    """Read a source to its end; return the lines."""
    stamp = reader.start_pass()
    lines = b"".join(bytes(chunk.data) for chunk in iter(reader.next, None))
    reader.end_pass(stamp)
    return lines


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
