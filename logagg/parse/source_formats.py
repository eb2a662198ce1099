"""The format of each source: given, remembered by the lake, or detected from the source's first lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from logagg.clock import Clock, LatestTime
from logagg.config.logs import LogConfig
from logagg.errors import FormatError
from logagg.parse.detect import count, detect
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, Format, PersonalFields
from logagg.records import Chunk

DETECTED = ("", "json")  # formats that lines decide, the latter as to its keys
SAMPLE_LINES = 1000
SAMPLE = 1 << 20  # bytes


def check_formats(logs: Iterable[LogConfig], personal: PersonalFields = NO_PERSONAL_FIELDS) -> None:
    """Raise ConfigError for a `[[log]]` with a format that cannot be understood."""
    for log in logs:
        try:
            if log.format not in DETECTED:
                compile_format(log.format, personal)
        except FormatError as error:
            raise log.place.error("format", error.message, error.hint) from None


def _none(source: str) -> str:
    return ""


class SourceFormats:
    """Remembers the format of each source, and detects that of a new one from its first lines."""

    def __init__(
        self,
        given: str,
        known: Mapping[str, str],
        clock: Clock,
        refused: Callable[[str], None],
        personal: PersonalFields = NO_PERSONAL_FIELDS,
        own: Callable[[str], str] = _none,
    ) -> None:
        """Use the format that a source has of its `own`, else the `given` one, else detect it."""
        self._given, self._own = given, own
        self._personal = personal
        self._compiled(given)  # which raises FormatError at once
        # Remembered formats that differ from --log-format are dropped and detected again.
        kept = {
            source: name
            for source, name in known.items()
            if self.given_for(source) in ("", name, name.partition(":")[0])
        }
        self._formats = {source: compile_format(name, personal) for source, name in kept.items()}
        self._latest, self._refused = LatestTime(clock), refused

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
            return self._compiled(self.given_for(chunk.source)) or compile_format("combined")
        found = self._probe(self.given_for(chunk.source), lines, self._latest.of(written))
        if found:
            self._formats[chunk.source] = found
        else:
            self._refused(chunk.source)
        return found

    def is_whole(self, source: str, fragment: bytes) -> bool:
        """Tell whether a last line without a newline is certainly complete."""
        fmt = self._formats.get(source)
        return bool(fmt and fmt.closed and count([fragment], fmt, self._latest.of()))

    def given_for(self, source: str) -> str:
        """Return the format that a source is to have; empty if it is to be detected."""
        return self._own(source) or self._given

    def _compiled(self, given: str) -> Format | None:
        """Return a given format; None for that of JSON, whose keys are detected from the lines."""
        return compile_format(given, self._personal) if given not in DETECTED else None

    def _probe(self, given: str, lines: list[bytes], now: float) -> Format | None:
        fmt = self._compiled(given)
        if fmt is None:
            return detect(lines, now, self._personal, names=("json",) if given else None)
        return fmt if count(lines, fmt, now) else None
