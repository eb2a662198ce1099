"""Lines of keys and values, `time=... method=GET path="/a" status=200`: their keys, in their order, make a template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from logagg.parse.combined.tokens import Token, tokens_of
from logagg.parse.formats.format import PersonalFields
from logagg.parse.formats.shapes import kind_of
from logagg.parse.json_detect import chosen

_LEAST = 4  # keys of a line
_MOST = 2  # templates that are written for some lines
_LONGEST = 1 << 14  # bytes of a line that is looked at

Pairs = Sequence[Token]


def logfmt_templates(
    lines: Sequence[bytes], now: float, personal: PersonalFields, *, timed: bool = False
) -> Iterator[str]:
    """Yield the templates of most of these lines, if they are keys and values, among which is what a request needs.

    `timed`: an envelope has their times.
    """
    found = [pairs for line in lines if (pairs := _pairs(line))]
    for style, _ in Counter(map(_style, found)).most_common(_MOST):
        alike = [pairs for pairs in found if _style(pairs) == style]
        columns = zip(*alike, strict=True)
        values = {
            _key(tokens[0]): [token.value for token in tokens if token.value not in (b"", b"-")] for tokens in columns
        }
        fields = chosen(values, now, personal, timed=timed)
        if fields and len(values) == len(style):
            yield _template(alike[0], fields)


def _pairs(line: bytes) -> Pairs:
    """Return the keys and values of a line; nothing if it has others."""
    tokens = tokens_of(line.rstrip(b"\r ")) if len(line) <= _LONGEST and line[:1].isalpha() else None
    if tokens is None or len(tokens) < _LEAST or not all(token.key.endswith(b"=") for token in tokens):
        return ()
    return tokens


def _style(pairs: Pairs) -> tuple[object, ...]:
    return tuple((token.key, token.marks) for token in pairs)


def _key(token: Token) -> str:
    return token.key[:-1].decode()


def _template(pairs: Pairs, fields: dict[str, str]) -> str:
    *before, last = [token.place(f"<{fields.get(_key(token), '')}>") for token in pairs]
    if not pairs[-1].marks and kind_of(pairs[-1].value) == "other":  # further pairs may follow in other lines
        last = f"{last[:-1]}:bare>"
    return " ".join([*before, last])
