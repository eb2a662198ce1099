"""Where the files of sources may be: where they were last, where the user says, and beside other logs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from logagg.intake.discover import Finder
from logagg.intake.names import STDIN, describe
from logagg.records import KnownSource


@dataclass(frozen=True, slots=True)
class Places:
    """The known places of logs."""

    named: tuple[str, ...] = ()  # by the user: files, directories, globs
    latest: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by source: where tails say that it is
    given: tuple[str, ...] = ()  # to the tails: files, directories, globs
    others: tuple[str, ...] = ()  # where the other sources were last
    hosts: Mapping[str, str] = field(default_factory=dict)  # by tailer: its machine, if that is another than this one


class Candidates:
    """The files that may hold some sources, each once, the likeliest first; a directory is listed when it is the next."""

    def __init__(self, places: Places) -> None:
        self._places, self._seen = places, set[str]()
        self.shut: dict[str, str] = {}  # directories that cannot be listed, and why

    def of(self, wanted: Sequence[KnownSource]) -> Iterator[str]:
        """Yield paths, which may have no file; the caller stops when it has found all that was wanted."""
        own = [path for one in wanted for path in (one.source.path, *self._places.latest.get(one.source.id, ()))]
        streams = {describe(path).stream for path in own}
        yield from self._new(own)
        yield from self._found(self._places.named, streams)
        yield from self._found(_folders(own), streams)
        yield from self._found((*self._places.given, *_folders(self._places.others)), streams)

    def _found(self, paths: Sequence[str], streams: set[str]) -> Iterator[str]:
        finder = Finder([path for path in paths if path != STDIN], lambda: 0.0)
        found = finder.find()
        self.shut |= dict(finder.problems())
        yield from self._new(one.path for one in sorted(found, key=lambda one: one.stream not in streams))

    def _new(self, paths: Iterable[str]) -> Iterator[str]:
        for path in paths:
            if path != STDIN and (whole := os.path.abspath(path)) not in self._seen:
                self._seen.add(whole)
                yield path


def _folders(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.dirname(path) or "." for path in paths if path != STDIN))
