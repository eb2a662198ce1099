"""The reference: the content of the envelopes of lines, one line at a time, and obviously right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from logagg.parse.envelopes.kinds import COLOURS, Envelope, in_parts, named, timed
from logagg.parse.formats.csv_header import VALUE, csv_value
from logagg.parse.lines import reference_json
from logagg.parse.lines.reference_columns import split_columns

_DATE, _CLOCK, _ZONE = rb"\d{4}-\d\d-\d\d", rb"\d\d:\d\d:\d\d(?:[.,]\d{1,12}(?!\d))?+", rb"(?:Z|[+-]\d\d(?::?\d\d)?)"
_ISO = rb"%b" % b"T".join((_DATE, _CLOCK)) + rb"(?:%b)?+" % _ZONE
_LETTERS = rb"[A-Za-z.\x80-\xff]{2,9}"  # the name of a month or a day of the week, in any language
_TIME = rb"(?>%b)" % rb"|".join(
    (
        _ISO,
        rb"%b ++\d{1,2}(?: \d{4}(?= ))?+ %b" % (_LETTERS, _CLOCK),
        rb"%b %b %b [^ ]++" % (_LETTERS, _DATE, _CLOCK),
        rb"\d{1,12}\.\d{6}(?!\d)",
        rb"\[ *+\d{1,12}\.\d{6}\]",
    )
)
_FIELD = rb" ++[^ ]++"
_TAG = rb" ++(?![{\[\"<])[^ ]++(?<=[^ ]:) *+(?:@cee: *+)?+"
_NAME = rb"[^ =\]\"]++"
_DATA = rb"(?:-|(?:\[%b(?: %b=\"(?:[^\"\\]|\\.)*+\")*+\])++)" % (_NAME, _NAME)
_AFTER_HOST = _FIELD + rb" ++%b(?: ++|\Z)(?:\xef\xbb\xbf)?+" % _DATA  # RFC 5424, after the process
_AFTER_VERSION = _AFTER_HOST + rb"|" + _FIELD + rb" ++(?![\[-])"  # Heroku leaves out the structured data
_SYSLOG = rb"(?:<\d{1,3}>)?+(?:1 (?:-|%b)%b{3}(?:%b)|(?!1 )(?:%b(?:%b|%b%b)|%b%b{2} ++(?:-|\d++)%b))" % (
    *(_ISO, rb"(?:%b)" % _FIELD, _AFTER_VERSION),
    *(_TIME, _TAG, _FIELD, _TAG),
    *(_ISO, rb"(?:%b)" % _FIELD, _AFTER_HOST),
)
_HEADERS = {
    name: re.compile(header + rb"(?P<line>.*)\Z", re.DOTALL)
    for name, header in {
        "cri": _ISO + rb" std(?P<stream>out|err) (?P<part>[PF])(?::[^ ]*+)?(?: |\Z)",
        "kubectl": rb"\[pod/[^ \]]*+\] ++",
        "compose": rb"[A-Za-z0-9][^ |]*+ ++\|(?:\Z| ++)",
        "syslog": _SYSLOG,
        "timestamp": _ISO + rb" ++",
        "untagged": rb"(?:<\d{1,3}>%b|(?!%b)%b) ++[^ ]++ ++" % (_TIME, _ISO, _TIME),
        "stern": rb"(?:[a-z0-9][a-z0-9-]*+ ++){2,3}+",
        "indented": rb" ++",
    }.items()
}
_FLUENTD = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rb"\d[^\t]++\t[^\t]++\t(?P<line>\{.*)\Z",
        rb"%b %b %b [^ ]++(?<=:) (?P<line>\{.*)\Z" % (_DATE, _CLOCK, _ZONE),
        rb"[^ ]++(?<=:) \[\d{1,12}\.\d{1,18}, (?P<line>\{.*)\]\Z",
    )
)


_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_BEGINNING = re.compile(
    rb"(?:<\d{1,3}>)?+(?:1 )?+(?P<time>%b)(?=[ \t])|(?P<fluentd>%b %b %b)(?= )" % (_ISO, _DATE, _CLOCK, _ZONE)
)
_STREAMS = {b"stdout": 1, b"stderr": 2}


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line as it is in its log."""

    start: int
    text: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Part:
    """The content of an envelope: a line, or a part of one."""

    text: bytes
    stream: int = 0  # 0: not a part
    open: bool = False  # the line goes on in the next part of the stream


@dataclass(frozen=True, slots=True)
class Message:
    """A line inside envelopes."""

    raw: RawLine  # that it begins in
    parts: list[bytes] = field(default_factory=list)  # inside the envelope whose lines come in parts
    around: Envelope | None = None  # that envelope; None: the line has none of them

    def time(self, envelope: str) -> bytes:
        """Return when the line was written, by the first of its envelopes that has a time; empty if none has one."""
        found = timed(envelope)
        text = self._outer(found[0]) if found else None
        if found is None or text is None:
            return b""
        if found[1].begins_with_time:
            match = _BEGINNING.match(text)
            return (match["time"] or match["fluentd"]) if match else b""
        try:
            return reference_json.values(text, dict.fromkeys(found[1].times, "time_any"))["time_any"]
        except ValueError:
            return b""

    def _outer(self, envelope: str) -> bytes | None:
        return self.inside(envelope) if envelope else self.raw.text

    def inside(self, envelope: str) -> bytes | None:
        """Return the content of envelopes, which may be those of another format than the first; None if the line does
        not have them."""
        envelopes, text = named(envelope), self.raw.text
        if self.around and self.around in envelopes[:1]:
            envelopes, text = envelopes[1:], _without_end(b"".join(self.parts))
        return inside_of(text, "+".join(one.name for one in envelopes))


def _without_end(text: bytes) -> bytes:
    return text.rstrip(b"\r\n")


def messages(lines: Sequence[RawLine], first: str, max_line: int) -> list[Message]:
    """Return lines inside envelopes, in the order in which they begin; parts are joined, if those of the `first` envelope come in parts."""
    envelope = in_parts(first)
    return _joined(lines, envelope, max_line) if envelope else [Message(line) for line in lines]


def _joined(lines: Sequence[RawLine], envelope: Envelope, max_line: int) -> list[Message]:
    found, open_, since = list[Message](), dict[int, Message](), 0
    for line in lines:
        part = part_of(line.text, envelope)
        stream = part.stream if part and len(line.text) <= max_line else 0
        if open_ and line.end - since > max_line:
            open_ = {}
        since = since if open_ else line.start
        message = open_.pop(stream, None)
        if message is None:
            message = Message(line, around=envelope if part else None)
            found.append(message)
        if part:
            message.parts.append(part.text)
        if part and stream and part.open:
            open_[stream] = message
    return found


def inside_of(line: bytes, envelope: str) -> bytes | None:
    """Return the content of the envelopes of a line, even if it is a part; None if it does not have them."""
    for one in named(envelope):
        part = part_of(line, one)
        if part is None:
            return None
        line = _without_end(part.text)
    return line


def part_of(line: bytes, envelope: Envelope) -> Part | None:
    """Take the envelope off a line; None if the line does not have it."""
    if envelope.name == COLOURS:
        return Part(_COLOUR.sub(b"", line))
    if envelope.key:
        return _of_json(line, envelope)
    if envelope.column:
        values = split_columns(line, csv_value(envelope.column))
        return Part(values[VALUE].replace(b'""', b'"')) if values and values[VALUE] else None
    patterns = _FLUENTD if envelope.name == "fluentd" else (_HEADERS[envelope.name],)
    found = next((match for pattern in patterns if (match := pattern.match(line))), None)
    if found is None:
        return None
    if envelope.name != "cri":
        return Part(found["line"])
    return Part(found["line"], 2 if found["stream"] == b"err" else 1, found["part"] == b"P")


def _of_json(line: bytes, envelope: Envelope) -> Part | None:
    try:
        values = reference_json.values(line, {name: name for name in (envelope.key, "stream")})
    except ValueError:
        return None
    text = values[envelope.key]
    if not text:
        return None
    if not envelope.in_parts:
        return Part(_bytes_of(text) if envelope.bytes_as_numbers else text)
    if values["stream"] not in _STREAMS:
        return None
    return Part(text.removesuffix(b"\n"), _STREAMS[values["stream"]], not text.endswith(b"\n"))


def _bytes_of(text: bytes) -> bytes:
    """Return the bytes that numbers say, if the text has nothing else in it; journalctl writes binary values so."""
    numbers = text.split(b", ")
    if len(numbers) < 2 or not all(re.fullmatch(rb"[0-9]{1,3}", one) and int(one) < 256 for one in numbers):
        return text
    return bytes(map(int, numbers))
