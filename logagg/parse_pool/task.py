"""How chunks are parsed under one configuration: the format of each log, and the task of the parsers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from logagg.clock import Clock
from logagg.config.sections import Config
from logagg.intake.tail import Tailer
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import Format
from logagg.parse.source_formats import SourceFormats
from logagg.parse_pool.pool import ParseTask
from logagg.records import Chunk, Source


class Interpreter:
    """Chooses the format of each chunk by one configuration; a new configuration takes a new one."""

    def __init__(
        self,
        config: Config,
        log_format: str,
        classifier: Classifier,
        sources: Iterable[Source],
        clock: Clock,
        refused: Callable[[str], None],
        then: Callable[..., Any] | None = None,  # of `ParseTask`
        committed: float = 0.0,  # when the lake was last written
    ) -> None:
        formats = {source.id: source.format for source in sources if source.format}
        self._formats = SourceFormats(log_format, formats, clock, refused, config.visitor)
        self.reading = ParseTask(classifier, config.tail.max_line, config.privacy.addresses_in_samples, then)
        self.is_whole = self._formats.is_whole
        self._committed = committed

    def format_of(self, chunk: Chunk, tailer: Tailer) -> Format | None:
        """Return the format of a chunk; None if no format matches, and then the tailer takes the chunk back."""
        fmt = self._formats.format_of(chunk, self.written(chunk, tailer))
        if fmt is None:
            tailer.refuse(chunk.source)
        elif chunk.data:  # a hole, or a line over the limit, does not show the format
            tailer.set_format(chunk.source, fmt.name)
        return fmt

    def written(self, chunk: Chunk, tailer: Tailer) -> float:
        """Return the latest time at which a chunk may have been written, even if the clock is behind it."""
        return max(self._committed, tailer.source(chunk.source).modified)
