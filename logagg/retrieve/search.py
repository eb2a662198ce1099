"""Find the lines of rows, wherever their logs are now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing

import pyarrow as pa

from logagg.intake.content import Compressed, Content, digest, key_of, open_content
from logagg.records import KnownSource
from logagg.retrieve.headers import header_formats
from logagg.retrieve.places import Candidates, Places
from logagg.retrieve.proof import COMPARED, prove
from logagg.retrieve.reading import NotTheSource, read_lines
from logagg.retrieve.reasons import Trace
from logagg.retrieve.spool import KeptLines

_AT_A_TIME = 1_000  # lines that are proved together
_BYTES_AT_A_TIME = 4 << 20


class Search:
    """The search for the lines of rows (`rollup.requests.SCHEMA`): the lines found, their files, and why others are not shown."""

    def __init__(self, rows: pa.Table, known: Mapping[str, KnownSource], places: Places, lines: KeptLines) -> None:
        self.files: dict[int, str] = {}  # by row
        self._rows, self._known, self._places, self._lines = rows, known, places, lines
        self._sources: list[str] = rows.column("source").to_pylist()
        self._positions: list[int] = rows.column("position").to_pylist()
        self._left: dict[str, list[int]] = defaultdict(
            list
        )  # rows without a line, by source, in the order of positions
        for row in sorted(range(rows.num_rows), key=self._positions.__getitem__):
            self._left[self._sources[row]].append(row)
        self._traces = {id_: Trace(known.get(id_), places.hosts) for id_ in self._left}

    def run(self) -> None:
        """Search one file after the other until every line is found, or no file is left."""
        wanted, candidates, seen = [one for id_, one in self._known.items() if id_ in self._left], None, set()
        candidates = Candidates(self._places)
        for path in candidates.of(wanted) if wanted else ():
            try:
                with closing(open_content(path)) as content:
                    if (key := key_of(content.stat())) not in seen:
                        seen.add(key)
                        self._look_into(path, content)
            except OSError as error:
                self._note_unreadable(path, error)
            if not any(self._left[one.source.id] for one in wanted):
                return
        for trace in self._traces.values():
            trace.shut = candidates.shut

    def reason(self, row: int) -> str:
        """Return the reason why the line of a row is missing; empty if it was found."""
        return "" if row in self._lines else self._traces[self._sources[row]].reason(row)

    def _look_into(self, path: str, content: Content) -> None:
        """Take the lines of all sources that a file may hold: one, as a rule."""
        first, digests = content.first(), dict[int, str]()
        for id_, rows in self._left.items():
            known = self._known.get(id_)
            if not rows or known is None:
                continue
            head = known.source.head
            if head.length not in digests:
                digests[head.length] = digest(first[: head.length])
            if head.length and digests[head.length] == head.digest:
                self._take(path, content, known, rows)

    def _take(self, path: str, content: Content, known: KnownSource, rows: list[int]) -> None:
        """Take the lines of a source from a file, if the file holds it; which is known when it has been read."""
        source, taken = known.source, list[int]()
        try:
            formats = [source.format, *header_formats(content, source.format, known.furthest.position)]
            some, size = list[tuple[int, bytes]](), 0
            for row, line in zip(rows, read_lines(content, known, [self._positions[one] for one in rows]), strict=True):
                if line is not None:
                    some.append((row, line))
                    size += len(line)
                if len(some) >= _AT_A_TIME or size >= _BYTES_AT_A_TIME:
                    taken += self._keep(some, formats)
                    some, size = [], 0
            taken += self._keep(some, formats)
        except (NotTheSource, OSError) as error:
            for row in taken:
                self._lines.drop(row)
            broken = content.broken if isinstance(content, Compressed) else ""
            self._traces[source.id].note_other(path, broken or (_said(error) if isinstance(error, OSError) else ""))
            return
        self.files |= dict.fromkeys(taken, path)
        self._left[source.id] = [row for row in rows if row not in self._lines]
        self._traces[source.id].note_changed(path, self._left[source.id])

    def _keep(self, some: Sequence[tuple[int, bytes]], formats: Sequence[str]) -> list[int]:
        """Keep the lines that give their rows again; return those rows."""
        rows = self._rows.select(COMPARED).take(pa.array([row for row, _ in some], pa.int64())).to_pylist()
        proved = prove([line for _, line in some], rows, *formats)
        kept = [one for one, holds in zip(some, proved, strict=True) if holds]
        for row, line in kept:
            self._lines.put(row, line)
        return [row for row, _ in kept]

    def _note_unreadable(self, path: str, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            for id_, trace in self._traces.items():
                if path in (trace.path, *self._places.latest.get(id_, ())):
                    trace.unreadable = f"{path}: {_said(error)}"


def _said(error: OSError) -> str:
    return error.strerror or str(error).removeprefix(f"{error.filename}: ")
