"""Lines -> the templates of their formats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from logagg.parse.combined.columns import Column, is_pair, places
from logagg.parse.combined.tokens import Token, tokens_of
from logagg.parse.combined.who import Who, who, with_client
from logagg.parse.lines import reference

MOST_TEMPLATES = 4  # that are written for some lines
FAR = 4  # values from a request to its status, at most
LONGEST = 1 << 14  # bytes of a line that is looked at
TIMES = ("time_local", "time_iso8601")
_STATUS = re.compile(rb"(?:[1-9][0-9]{2}|0|000|-1)\Z")
_REQUEST = re.compile(rb"[A-Z][A-Z_-]{0,19} +[^ ].* HTTP/[0-9.]+\Z", re.DOTALL)
_SIZE = re.compile(rb"(?:[0-9]+|-)\Z")
_URL = re.compile(rb"[a-z][a-z0-9+.-]*://")
_QUOTED = rb'"(?:[^"\\]|\\.)*+"'
_UP_TO_AGENT = re.compile(
    rb"[^\"]*+" + _QUOTED + rb" [0-9-]+ [0-9-]+ " + _QUOTED + rb" " + _QUOTED + rb"(?= )", re.DOTALL
)
_FIELD = re.compile(r"<([a-z_0-9]+)")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the family: what a template has as it is, and the values between and beyond."""

    who: Who
    parts: tuple[str | Token, ...]

    @property
    def skeleton(self) -> tuple[object, ...]:
        """What all lines of one format have in common."""
        return tuple(part if isinstance(part, str) else (*part.style, is_pair(part.value)) for part in self.parts)


def templates(lines: Sequence[bytes], now: float) -> list[str]:
    """Return the templates of lines, that of most lines first."""
    found = [line for line in (_read(line, now) for line in lines) if line]
    groups = Counter(line.skeleton for line in found).most_common(MOST_TEMPLATES)
    return [_template([line for line in found if line.skeleton == skeleton]) for skeleton, _ in groups]


def open_template(lines: Sequence[bytes], now: float) -> str | None:
    """Return the template of lines that have anything behind the agent."""
    heads = [found[0] for line in lines if len(line) <= LONGEST and (found := _UP_TO_AGENT.match(line))]
    written = templates(heads, now)
    return f"{written[0]} <>" if written else None


def _template(lines: Sequence[_Line]) -> str:
    """Write the template of lines with one skeleton."""
    fixed = [part for part in lines[0].parts if isinstance(part, str)]
    numbers = [number for number, part in enumerate(lines[0].parts) if isinstance(part, Token)]
    columns = [Column([line.parts[number] for line in lines]) for number in numbers]  # type: ignore[misc]
    inners = iter(places(columns, set(_FIELD.findall("".join(fixed)))))
    parts = [part if isinstance(part, str) else next(inners) + part.blanks.decode() for part in lines[0].parts]
    return with_client("".join(parts), [line.who for line in lines]).rstrip(" ")


def _read(line: bytes, now: float) -> _Line | None:
    tokens = tokens_of(line.rstrip(b"\r ").lstrip(b"\0")) if len(line) <= LONGEST else None
    answer = _request(tokens) if tokens else None
    if tokens is None or answer is None:
        return None
    request, status = answer
    places = sorted(range(request), key=lambda at: not tokens[at].marks)  # a bare time may be that of a prefix
    time = next(((at, field) for at in places if (field := _time(tokens[at], now))), None)
    found = time and who(tokens[: time[0]] or tokens[1:request])
    if time is None or not found or _lacks_size(tokens[status + 1 :]):
        return None
    at, field = time
    when = tokens[at].place(f"<{field}>") + tokens[at].blanks.decode()
    before = [found.template, when] if at else [when, found.template]
    return _Line(found, (*before, *(tokens[at + 1 : request] if at else ()), *_answer(tokens, request, status)))


def _request(tokens: Sequence[Token]) -> tuple[int, int] | None:
    """Return which token is the request, the first one in quotes that is one or has a status behind it, and which the status."""
    for at, token in enumerate(tokens):
        if token.marks == b'""' and not token.key:
            found = range(at + 1, min(len(tokens), at + (FAR if _REQUEST.match(token.value) else 2)))
            if status := next((after for after in found if _is_status(tokens[after])), 0):
                return at, status
    return None


def _is_status(token: Token) -> bool:
    return not token.marks and not token.key and bool(_STATUS.match(token.value))


def _lacks_size(rest: Sequence[Token]) -> bool:
    """Tell whether a value that is no size stands before referrer and agent: its line is to be a reject, not one without a size."""
    before_quotes = len(rest) > 2 and not rest[0].marks and rest[1].marks == rest[2].marks == b'""'
    return before_quotes and not _SIZE.match(rest[0].value)


def _time(token: Token, now: float) -> str:
    return next((field for field in TIMES if reference.reads_as_time(field, token.value, now)), "")


def _answer(tokens: Sequence[Token], request: int, status: int) -> Iterator[str | Token]:
    """Yield the parts from the request to the end."""
    yield f'"<request>"{tokens[request].blanks.decode()}'
    yield from tokens[request + 1 : status]
    yield f"<status>{tokens[status].blanks.decode()}"
    rest = tokens[status + 1 :]
    if rest and not rest[0].marks and not rest[0].key and _SIZE.match(rest[0].value):
        yield f"<bytes>{rest[0].blanks.decode()}"
        rest = rest[1:]
    at, fields = _referrer(rest)
    yield from rest[:at]
    for token, field in zip(rest[at:], fields, strict=False):
        yield f'"<{field}>"{token.blanks.decode()}'
    yield from rest[at + len(fields) :]


def _referrer(tokens: Sequence[Token]) -> tuple[int, tuple[str, ...]]:
    """Return where referrer and agent are, and which of the two there are."""
    quoted = [token.marks == b'""' and not token.key for token in tokens]
    at = quoted.index(True) if True in quoted else len(tokens)
    if quoted[at : at + 2] == [True, True]:
        return at, ("referrer", "agent")
    if at < len(tokens) and _URL.match(tokens[at].value):
        return at, ("referrer",)
    return at, ("agent",) if at < len(tokens) and b"/" in tokens[at].value else ()
