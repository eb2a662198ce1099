"""The formats of each source: given, remembered by the lake, or detected from the source's lines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from logagg.clock import Clock, LatestTime
from logagg.config.logs import LogConfig
from logagg.errors import FormatError
from logagg.parse.detect import Detector, count
from logagg.parse.envelopes.kinds import split
from logagg.parse.envelopes.unwrap import envelopes_of
from logagg.parse.formats.columns import HEADER
from logagg.parse.formats.compile import DETECTED, compile_format, enveloped, joined
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, OR, Format, PersonalFields
from logagg.parse.lines import scan
from logagg.parse.lines.fast import find_lines
from logagg.parse.lines.headers import after, is_comment, is_csv, last_header
from logagg.parse.unreadable import why_unreadable
from logagg.records import Chunk

SAMPLE_LINES = 1000
SAMPLE = 1 << 20  # bytes


def is_detected(name: str) -> bool:
    """Tell whether lines decide what a format's name means; an empty one means any."""
    return name in ("", *DETECTED)


def check_formats(logs: Iterable[LogConfig], personal: PersonalFields = NO_PERSONAL_FIELDS) -> None:
    """Raise ConfigError for a `[[log]]` with a format that cannot be understood."""
    for log in logs:
        try:
            if not is_detected(log.format):
                compile_format(log.format, personal)
        except FormatError as error:
            raise log.place.error("format", error.message, error.hint) from None


def nothing_known(source: str) -> str:
    """Know nothing of a source: no earlier generation of its log, no `[[log]]`."""
    return ""


def no_bytes(source: str, position: int, sign: bytes) -> Iterable[bytes]:
    """Have no bytes of a source but the chunk."""
    return ()


def _last_header(chunk: Chunk, fmt: Format) -> bytes:
    """Return the last line of a chunk that names columns; empty if there is none."""
    if is_csv(fmt):
        return last_header(find_lines(chunk), fmt)
    if fmt.envelope:
        return last_header(find_lines(chunk), fmt) if HEADER in bytes(chunk.data) else b""
    data = np.frombuffer(chunk.data, np.uint8)
    place = scan.last_line(data, HEADER)
    return data[place[0] : place[1]].tobytes() if place else b""


class SourceFormats:
    """Remembers the formats of each source, and detects those of a new one from its first lines.

    A parser that finds lines of another format reads them in that (`learn`). The remembered formats make the next lines faster
    to read, and decide between several formats that match; every line can be read without them.
    """

    def __init__(
        self,
        given: str,
        known: Mapping[str, str],
        clock: Clock,
        refused: Callable[[str], None],
        personal: PersonalFields = NO_PERSONAL_FIELDS,
        before: Callable[[str], str] = nothing_known,
        bytes_before: Callable[[str, int, bytes], Iterable[bytes]] = no_bytes,
        own: Callable[[str], str] = nothing_known,
    ) -> None:
        """Use a source's `own` format, and others where that does not match; else the `given` one alone."""
        self._own, self._general, self._personal = own, given, personal
        kind = split(given)[1]
        self._given = compile_format(given, personal) if given and kind not in DETECTED else None
        self.detector = Detector(personal, (kind,) if kind in DETECTED else None)
        # Remembered formats that differ from --log-format are dropped and detected again.
        kept = {source: self._kept(source, name) for source, name in known.items()}
        self._formats = {source: fmt for source, fmt in kept.items() if fmt}
        self._latest, self._refused, self._before = LatestTime(clock), refused, before
        self._bytes_before = bytes_before
        self._why = dict[str, str]()
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
            return self._follow(chunk, known)
        lines = [
            line
            for line in bytes(chunk.data[:SAMPLE]).split(b"\n", SAMPLE_LINES)[:SAMPLE_LINES]
            if line.strip(b" \t\r\0")
        ]
        if not lines:
            return self._compiled(self._own(chunk.source)) or self._given or compile_format("combined")
        found = self._probe(chunk, lines, self._latest.of(written))
        if not found:
            self._why[chunk.source] = "" if self.given_for(chunk.source) else why_unreadable(lines)
            self._refused(chunk.source)
            return None
        self._formats[chunk.source] = found
        return self._follow(chunk, found)

    def _follow(self, chunk: Chunk, fmt: Format) -> Format:
        """Remember the header that is in force behind a chunk; return the format at its start."""
        if (fmt.headed or is_csv(fmt)) and (header := _last_header(chunk, fmt)):
            self._formats[chunk.source] = after(fmt, header)
        return fmt

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

    def name_of(self, source: str, otherwise: str = "") -> str:
        """Return the name of the format of a source, behind all chunks that were asked for."""
        return self._formats[source].name if source in self._formats else otherwise

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

    def why(self, source: str) -> str:
        """Return why the lines of a source that was refused cannot be read, if that is known."""
        return self._why.get(source, "")

    def given_for(self, source: str) -> str:
        """Return the format that a source is to have; empty if it is to be detected."""
        return self._own(source) or self._general

    def _kept(self, source: str, name: str) -> Format | None:
        """Return the remembered format of a source, behind its own one: lines may be older than a change of that."""
        own = self._compiled(self._own(source))
        if self._is_as_given(self.given_for(source), name):
            return compile_format(name, self._personal)
        if own and self.detects and not any(split(one)[0] for one in name.split(OR)):
            return joined([own, compile_format(name, self._personal)])
        return None

    def _compiled(self, name: str) -> Format | None:
        """Return the format of a name; None for those that lines decide."""
        return None if is_detected(name) else compile_format(name, self._personal)

    def _probe(self, chunk: Chunk, lines: list[bytes], now: float) -> Format | None:
        name = self._own(chunk.source)
        if name in DETECTED:
            return Detector(self._personal, (name,)).first(lines, now)
        if own := self._compiled(name):
            # If another is detected, the parser finds out which, and says it.
            has_another = self.detects and self.detector.first(lines, now)
            return self._as_given(own, lines, now) or (own if has_another else None)
        if self._given:
            return self._as_given(self._given, lines, now)
        return self._below_header(chunk, lines, now) or self.detector.first(lines, now, self._likely(chunk.source))

    def _as_given(self, fmt: Format, lines: list[bytes], now: float) -> Format | None:
        only_comments = all(is_comment(line, fmt) for line in lines)
        return fmt if only_comments or count(lines, fmt, now) else self._in_envelope(lines, fmt, now)

    def _below_header(self, chunk: Chunk, lines: list[bytes], now: float) -> Format | None:
        """Return the format that a header above gives, where reading begins in the middle of a log: the nearest, or the first."""
        envelopes = ["", *envelopes_of(lines, certain=True)]
        for before in self._bytes_before(chunk.source, chunk.start, HEADER):
            for envelope in envelopes if HEADER in before else ():
                w3c = enveloped(compile_format("w3c", self._personal), envelope)
                header = _last_header(replace(chunk, data=before), w3c)
                fmt = after(w3c, header) if header else None
                if fmt and 2 * count(lines, fmt, now) > len(lines):
                    return fmt
        return None

    def _in_envelope(self, lines: list[bytes], fmt: Format, now: float) -> Format | None:
        """Return the given format in the first envelope in which it matches some lines."""
        envelopes = [name for certain in (True, False) for name in envelopes_of(lines, certain=certain)]
        within = [enveloped(fmt, envelope) for envelope in envelopes if not fmt.envelope]
        return next((one for one in within if count(lines, one, now)), None)

    def _is_as_given(self, given: str, name: str) -> bool:
        """Tell whether a remembered format is the given one, perhaps with the keys or columns that were detected."""
        inside = OR.join(split(one)[1] for one in name.split(OR))
        kind = inside.partition(":")[0]
        if self._given and self._given.headed and kind == "w3c":
            return True
        return given in ("", name, inside, name.partition(":")[0], kind) or (
            self._given is not None and self._given.name in (name, inside)
        )

    def _likely(self, source: str) -> list[Format]:
        """Return the formats that the log of a source had before."""
        try:
            name = self._before(source)
            return list(compile_format(name, self._personal).each) if name else []
        except FormatError:  # an earlier logagg knew it
            return []
