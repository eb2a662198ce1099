"""The format of each source: given, remembered by the lake, or detected from the source's first lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from logagg.clock import Clock, LatestTime
from logagg.parse.detect import count, detect
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, Format, PersonalFields
from logagg.records import Chunk

SAMPLE_LINES = 1000
SAMPLE = 1 << 20  # bytes


class SourceFormats:
    """Remembers the format of each source, and detects that of a new one from its first lines."""

    def __init__(
        self,
        given: str,
        known: Mapping[str, str],
        clock: Clock,
        refused: Callable[[str], None],
        personal: PersonalFields = NO_PERSONAL_FIELDS,
    ) -> None:
        self._json = given == "json"  # the keys are detected from the lines
        self._given = compile_format(given, personal) if given and not self._json else None
        # Remembered formats that differ from --log-format are dropped and detected again.
        kept = {source: name for source, name in known.items() if given in ("", name, name.partition(":")[0])}
        self._formats = {source: compile_format(name, personal) for source, name in kept.items()}
        self._latest, self._refused, self._personal = LatestTime(clock), refused, personal

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
        found = self._probe(lines, self._latest.of(written))
        if found:
            self._formats[chunk.source] = found
        else:
            self._refused(chunk.source)
        return found

    def is_whole(self, source: str, fragment: bytes) -> bool:
        """Tell whether a last line without a newline is certainly complete."""
        fmt = self._formats.get(source)
        return bool(fmt and fmt.closed and count([fragment], fmt, self._latest.of()))

    def _probe(self, lines: list[bytes], now: float) -> Format | None:
        if self._given is None:
            names = ("json",) if self._json else None
            return detect(lines, now, self._personal, names=names)
        return self._given if count(lines, self._given, now) else None
