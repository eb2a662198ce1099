"""The task of a parser: the lines of a chunk -> events -> the input of a sink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from logagg.parse.detect import Detector
from logagg.parse.events.addresses import without_addresses
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.format import Format
from logagg.parse.lines import fast
from logagg.records import Batch, Chunk

Then = Callable[..., Any]  # takes a chunk without its data, its events (a Batch), and further arguments of `submit`


@dataclass(frozen=True, slots=True)
class Parsed:
    """The result of a chunk."""

    result: Any
    formats: tuple[str, ...] = ()  # of its lines, which were not known before


@dataclass(frozen=True, slots=True)
class ParseTask:
    """Turns the lines of a chunk into events, and these into the input of a sink."""

    classifier: Classifier
    max_line: int = 1 << 20  # bytes; a longer line is a reject
    addresses_in_samples: bool = False  # of rejects
    then: Then | None = None  # applied to the events of a chunk
    detector: Detector | None = (
        None  # of formats that lines have beside those that are known; None: there are no others
    )

    def __call__(self, chunk: Chunk, fmt: Format, now: float, site: str = "", *more: Any) -> Parsed:
        """Return a batch whose table holds events, or what `then` makes of it, and the formats that were found.

        `site` is that of lines that do not name theirs.
        """
        detect = partial(self.detector.next, now=now) if self.detector else fast.no_more
        batch = fast.parse(chunk, fmt, now, self.max_line, detect)
        rejects = batch.rejects if self.addresses_in_samples else without_addresses(batch.rejects)
        events = Batch(self.classifier.classify(batch.table, site), rejects)
        return Parsed(self.then(without_data(chunk), events, *more) if self.then else events, batch.formats)

    def asking(self, key_of: Callable[[int], bytes] | None) -> ParseTask:
        """Return the task with another function for the keys of visitors."""
        return replace(self, classifier=replace(self.classifier, key_of=key_of))


def without_data(chunk: Chunk) -> Chunk:
    """Drop the data of a chunk: later stages need its positions only."""
    return replace(chunk, data=b"")
