"""The formats of each source: given, remembered by the lake, or detected from the source's lines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from logagg.clock import Clock, LatestTime
from logagg.errors import FormatError
from logagg.parse.detect import Detector, count
from logagg.parse.envelopes.kinds import split
from logagg.parse.envelopes.unwrap import envelopes_of
from logagg.parse.formats.compile import compile_format, enveloped, joined
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, OR, Format, PersonalFields
from logagg.records import Chunk

SAMPLE_LINES = 1000
SAMPLE = 1 << 20  # bytes


def nothing_before(source: str) -> str:
    """Know no earlier generation of a source's log."""
    return ""


class SourceFormats:
    """Remembers the formats of each source, and detects those of a new one from its first lines.

    A parser that finds lines of another format reads them in that (`learn`), so what is remembered here makes the next lines
    faster to read, and decides where several formats could be meant; no line depends on it for being read.
    """

    def __init__(
        self,
        given: str,
        known: Mapping[str, str],
        clock: Clock,
        refused: Callable[[str], None],
        personal: PersonalFields = NO_PERSONAL_FIELDS,
        before: Callable[[str], str] = nothing_before,
    ) -> None:
        json = split(given)[1] == "json"  # the keys are detected from the lines
        self._given = compile_format(given, personal) if given and not json else None
        self.detector = Detector(personal, ("json",) if json else None)
        # Remembered formats that differ from --log-format are dropped and detected again.
        kept = {source: name for source, name in known.items() if given in _givens(name)}
        self._formats = {source: compile_format(name, personal) for source, name in kept.items()}
        self._latest, self._refused, self._personal, self._before = LatestTime(clock), refused, personal, before
        self._learned = list[tuple[str, str]]()
        self._lock = threading.Lock()

    @property
    def detects(self) -> bool:
        """Whether lines may have other formats than those that are known."""
        return self._given is None

    def format_of(self, chunk: Chunk, written: float = 0.0) -> Format | None:
        """Return the format of the chunk's source, or None when no format matches its first lines.

        The chunk may have been written as late as `written`, whatever the clock says.

        A given format that matches none of the first lines is refused: lines rejected by mistake would count as read,
        and could not be read again once the mistake is found.
        """
        known = self._formats.get(chunk.source)
        if known:
            return known
        lines = [
            line for line in bytes(chunk.data[:SAMPLE]).split(b"\n", SAMPLE_LINES)[:SAMPLE_LINES] if line.strip(b"\r\0")
        ]
        if not lines:
            return self._given or compile_format("combined")
        found = self._probe(chunk.source, lines, self._latest.of(written))
        if found:
            self._formats[chunk.source] = found
        else:
            self._refused(chunk.source)
        return found

    def learn(self, source: str, names: tuple[str, ...]) -> None:
        """Remember further formats that a parser has found in a source; safe from any thread."""
        with self._lock:
            self._learned += [(source, name) for name in names]

    def take_learned(self) -> dict[str, list[str]]:
        """Return the formats that were new for each source, which are remembered from now on."""
        with self._lock:
            learned, self._learned = self._learned, []
        new = dict[str, list[str]]()
        for source, name in learned:
            before = self._formats[source]
            self._formats[source] = joined([before, compile_format(name, self._personal)])
            if self._formats[source].name != before.name:
                new.setdefault(source, []).append(name)
        return new

    def name_of(self, source: str) -> str:
        """Return the name of the format of a source."""
        return self._formats[source].name

    def reads(self, source: str, line: bytes) -> bool:
        """Tell whether a line of a source can be read."""
        now, known = self._latest.of(), self._formats.get(source) or self._given
        return bool(known and count([line], known, now)) or (
            self.detects and self.detector.first([line], now) is not None
        )

    def is_closed(self, source: str) -> bool:
        """Tell whether a line that can be read is certainly complete, even without its newline."""
        fmt = self._formats.get(source) or self._given
        return bool(fmt and fmt.closed)

    def _probe(self, source: str, lines: list[bytes], now: float) -> Format | None:
        if self._given:
            return self._given if count(lines, self._given, now) else self._in_envelope(lines, self._given, now)
        return self.detector.first(lines, now, self._likely(source))

    def _in_envelope(self, lines: list[bytes], fmt: Format, now: float) -> Format | None:
        """Return the given format in the first envelope in which it matches some lines."""
        envelopes = [name for certain in (True, False) for name in envelopes_of(lines, certain=certain)]
        within = [enveloped(fmt, envelope) for envelope in envelopes if not fmt.envelope]
        return next((one for one in within if count(lines, one, now)), None)

    def _likely(self, source: str) -> list[Format]:
        """Return the formats that the log of a source had before."""
        try:
            name = self._before(source)
            return list(compile_format(name, self._personal).each) if name else []
        except FormatError:  # an earlier logagg knew it
            return []


def _givens(name: str) -> tuple[str, ...]:
    """Return for which given formats remembered ones are right."""
    inside = OR.join(split(one)[1] for one in name.split(OR))
    return "", name, inside, name.partition(":")[0], inside.partition(":")[0]
