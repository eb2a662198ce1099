"""What a configuration makes of the lines of logs: the format of each log, its events, and what is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from logagg.cargo import Batch, Chunk, Source
from logagg.clock import Clock
from logagg.config import Config
from logagg.intake.tail import Tailer
from logagg.parse import columns
from logagg.parse.addresses import without_addresses
from logagg.parse.book import FormatBook
from logagg.parse.events import Classifier
from logagg.parse.formats import Format


class Interpreter:
    """Reads chunks as one configuration says; another configuration takes another one. Safe for threads but `format_of`."""

    def __init__(
        self,
        config: Config,
        log_format: str,
        classifier: Classifier,
        sources: Iterable[Source],
        clock: Clock,
        refused: Callable[[str], None],
    ) -> None:
        formats = {source.id: source.format for source in sources if source.format}
        self._formats = FormatBook(log_format, formats, clock, refused, config.visitor)
        self._classifier, self._clock = classifier, clock
        self._max_line, self._addresses = config.tail.max_line, config.privacy.addresses_in_samples
        self.is_whole = self._formats.is_whole

    def format_of(self, chunk: Chunk, tailer: Tailer) -> Format | None:
        """Return the format of a chunk; None where it has none: then the tailer takes it back."""
        fmt = self._formats.format_of(chunk)
        if fmt is None:
            tailer.refuse(chunk.source)
        elif chunk.data:  # of a hole, or of a line over the limit, nothing can be told
            tailer.set_format(chunk.source, fmt.name)
        return fmt

    def read(self, chunk: Chunk, fmt: Format) -> Batch:
        """Return the events of a chunk, and its lines that are none."""
        batch = columns.parse(chunk, fmt, self._clock.now(), self._max_line)
        rejects = batch.rejects if self._addresses else without_addresses(batch.rejects)
        return Batch(self._classifier.classify(batch.table), rejects)
