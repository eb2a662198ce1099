"""Lines -> the templates of their formats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from logagg.parse.combined.client import Who, who, with_client, with_site
from logagg.parse.combined.columns import Column, is_pair, places
from logagg.parse.combined.response import FAR, fields_of_answer, is_far_status, is_status, lacks_size
from logagg.parse.combined.timestamp import When, when_at
from logagg.parse.combined.tokens import Token, tokens_of

MOST_TEMPLATES = 4  # that are written for some lines
LONGEST = 1 << 14  # bytes of a line that is looked at
_REQUEST = re.compile(rb"[A-Z][A-Z_-]{0,19} +[^ ].* HTTP/[0-9.]+\Z", re.DOTALL)
_QUOTED = rb'"(?:[^"\\]|\\.)*+"'
_UP_TO_AGENT = re.compile(
    rb"[^\"]*+" + _QUOTED + rb" [0-9-]+ [0-9-]+ " + _QUOTED + rb" " + _QUOTED + rb"(?= )", re.DOTALL
)
_FIELD = re.compile(r"<([a-z_0-9]+)")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the family: texts that a template has literally, and the values between and behind them."""

    who: Who
    request: int  # which part that is
    parts: tuple[str | Token, ...]

    @property
    def skeleton(self) -> tuple[object, ...]:
        """The structure that all lines of one format share."""
        return tuple(map(_style, self.parts))

    @property
    def answer(self) -> tuple[Token, ...]:
        """The values after the request."""
        return self.parts[self.request + 1 :]  # type: ignore[return-value]

    def answers_like(self, other: _Line) -> bool:
        return list(map(_style, self.answer)) == list(map(_style, other.answer))


def _style(part: str | Token) -> object:
    return part if isinstance(part, str) else (*part.style, is_pair(part.value))


def templates(lines: Sequence[bytes], now: float) -> list[str]:
    """Return the templates of lines, that of most lines first."""
    found = [line for line in (_read(line, now) for line in lines) if line]
    groups = Counter(line.skeleton for line in found).most_common(MOST_TEMPLATES)
    return [_template([line for line in found if line.skeleton == skeleton], found) for skeleton, _ in groups]


def open_template(lines: Sequence[bytes], now: float) -> str | None:
    """Return the template of lines that have anything behind the agent."""
    heads = [found[0] for line in lines if len(line) <= LONGEST and (found := _UP_TO_AGENT.match(line))]
    written = templates(heads, now)
    return f"{written[0]} <>" if written else None


def _template(lines: Sequence[_Line], found: Sequence[_Line]) -> str:
    """Write the template of lines with one skeleton, which are among all that were found."""
    first = lines[0]
    numbers = [number for number, part in enumerate(first.parts) if isinstance(part, Token)]
    columns = [Column([line.parts[number] for line in lines]) for number in numbers]  # type: ignore[misc]
    answers = zip(*(line.answer for line in found if line.answers_like(first)), strict=True)
    before = len(columns) - len(first.answer)
    answer = {before + number: field for number, field in fields_of_answer(list(map(Column, answers)))}
    fixed = "".join(part for part in first.parts if isinstance(part, str))
    inners = iter(places(columns, answer, set(_FIELD.findall(fixed))))
    parts = [part if isinstance(part, str) else next(inners) + part.blanks.decode() for part in first.parts]
    template = with_site("".join(parts), first.who.template, {line.who.template for line in found})
    return with_client(template, [line.who for line in lines]).rstrip(" ")


def _read(line: bytes, now: float) -> _Line | None:
    tokens = tokens_of(line.rstrip(b"\r ").lstrip(b"\0")) if len(line) <= LONGEST else None
    answer = _request(tokens) if tokens else None
    if tokens is None or answer is None:
        return None
    request, status = answer
    places = sorted(range(request), key=lambda at: (not tokens[at].marks, -at))  # other times may be those of a prefix
    when = next((found for at in places if (found := when_at(tokens[:request], at, now))), None)
    if when is None or lacks_size(tokens[status + 1 :]):
        return None
    before = _before(tokens[:request], when)
    if before is None:
        return None
    whom, parts = before
    return _Line(whom, len(parts), (*parts, f'"<request>"{tokens[request].blanks.decode()}', *tokens[request + 1 :]))


def _before(tokens: Sequence[Token], when: When) -> tuple[Who, Sequence[str | Token]] | None:
    """Return the client of a line, and the parts up to the request; None if neither side of the time has a client."""
    if found := who(tokens[: when.start]):
        return found, [found.template, when.template, *tokens[when.end :]]
    if found := who(tokens[when.end :]):
        return found, [*tokens[: when.start], when.template, found.template]
    return None


def _request(tokens: Sequence[Token]) -> tuple[int, int] | None:
    """Return which token is the request, the first one in quotes that is one or has a status behind it, and which the
    status."""
    for at, token in enumerate(tokens):
        if token.marks == b'""' and not token.key:
            if at + 1 < len(tokens) and is_status(tokens[at + 1]):
                return at, at + 1
            found = range(at + 2, min(len(tokens), at + FAR)) if _REQUEST.match(token.value) else ()
            if status := next((after for after in found if is_far_status(tokens[after : after + 2])), 0):
                return at, status
    return None
