"""Which of the values behind a request are its status and size, and which are referrer and agent.

Servers put further numbers and texts among them: `"GET / HTTP/1.1" 0.005 512 200 1234 "10.0.0.1" "-" "curl/8.5.0"`.
Each is found by all values of its place. Where they prove nothing, and in a few lines, the order is that of `combined`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from logagg.parse.combined.columns import Column, Numbered
from logagg.parse.combined.tokens import Token

FAR = 4  # the most values between request and status
SURE = 3  # lines that prove another order
_STATUS = re.compile(rb"(?:[1-9][0-9]{2}|0|000|-1)\Z")
_SIZE = re.compile(rb"(?:[0-9]{1,18}|-)\Z")
URL = re.compile(rb"[a-z][a-z0-9+.-]*://")
PRODUCT = re.compile(rb"[A-Za-z][\w.+-]*/v?\d")  # of an agent: curl/8.5.0
_NOTHING = (b"0", b"-")
_WITHOUT_BODY = (b"204", b"304")
NOT_ZERO = re.compile(rb"[1-9]")  # 0 is a status, too, but most columns of zeros are none
# Statuses that servers, proxies and clouds answer with: other numbers of three digits are likelier to be sizes.
KNOWN_STATUS = re.compile(
    rb"(?:10[0-3]|20[0-8]|226|30[0-8]|40\d|41[0-8]|42[1-689]|431|44[049]|45[01]|46[034]|49[4-9]|50\d|51[01]|52\d|530|561|59[89]|0|000|-1)\Z"
)


def is_status(token: Token) -> bool:
    """Tell whether a value may be a status."""
    return not token.marks and not token.key and bool(_STATUS.match(token.value))


def is_far_status(tokens: Sequence[Token]) -> bool:
    """Tell whether a value behind others than the request is a status: one that is known, with a size behind it."""
    both = len(tokens) == 2 and all(not (token.marks or token.key) for token in tokens)
    return both and bool(KNOWN_STATUS.match(tokens[0].value)) and bool(_SIZE.match(tokens[1].value))


def lacks_size(rest: Sequence[Token]) -> bool:
    """Tell whether a value other than a size is between the status and two texts: its line is to be a reject, not one
    without a size."""
    before_quotes = len(rest) > 2 and not rest[0].marks and rest[1].marks == rest[2].marks == b'""'
    return before_quotes and not _SIZE.match(rest[0].value)


def fields_of_answer(columns: Sequence[Column]) -> Iterator[tuple[int, str]]:
    """Yield the numbers of the columns behind the request that are these fields, and the field of each."""
    status = _status(columns)
    yield status, "status"
    behind = list(enumerate(columns))[status + 1 :]
    if size := size_behind(columns[status], behind):
        yield size, "bytes"
    yield from _referrer_and_agent(behind)


def _status(columns: Sequence[Column]) -> int:
    """Return the first column of statuses three quarters of which are known; if there is none, that with the most of
    them."""
    found = [number for number, column in enumerate(columns[: FAR - 1]) if column.is_plain and column.most(_STATUS)]
    found.sort(key=lambda number: columns[number].share(NOT_ZERO) == 0)
    known = {number: columns[number].share(KNOWN_STATUS) for number in found}
    return next((number for number in found if known[number] >= 0.75), max(found, key=known.__getitem__, default=0))


def size_behind(status: Column, behind: Numbered) -> int:
    """Return the first column behind the status that has sizes, unless they cannot be those of the responses; 0 if there is none."""
    found = list[tuple[int, Column]]()
    for number, column in behind:
        if not (column.is_plain and column.most(_SIZE)):
            break
        found.append((number, column))
    if not found:
        return 0
    first = found[0]
    return next((one for one, column in found[1:] if _is_rather_the_size(column, first[1], status)), first[0])


def _is_rather_the_size(column: Column, first: Column, status: Column) -> bool:
    """Tell whether responses that have no body have no size in a column, and responses that have one have it, unlike in
    the first one."""
    if len(status.tokens) < SURE or column.sum <= first.sum:
        return False
    return first.sum == 0 or (_is_empty_without_body(column, status) and not _is_empty_without_body(first, status))


def _is_empty_without_body(column: Column, status: Column) -> bool:
    sizes = [size.value for size, one in zip(column.tokens, status.tokens, strict=True) if one.value in _WITHOUT_BODY]
    return bool(sizes) and all(size in _NOTHING for size in sizes)


def _referrer_and_agent(behind: Numbered) -> Iterator[tuple[int, str]]:
    quoted = [(number, column) for number, column in behind if column.is_quoted]
    pairs = [(one, other) for one, other in zip(quoted, quoted[1:], strict=False) if one[0] + 1 == other[0]]
    if pairs and pairs[0][0] == quoted[0]:
        one, other, fields = _pair(pairs)
        yield from zip((one[0], other[0]), fields, strict=True)
    elif quoted and quoted[0][1].most(URL):
        yield quoted[0][0], "referrer"
    elif quoted and any(b"/" in value for value in quoted[0][1].values):
        yield quoted[0][0], "agent"


def _pair(
    pairs: Sequence[tuple[tuple[int, Column], tuple[int, Column]]],
) -> tuple[tuple[int, Column], tuple[int, Column], tuple[str, str]]:
    """Return the two columns that are referrer and agent, in one order or the other."""
    if len(pairs[0][0][1].tokens) >= SURE:
        for one, other in pairs:
            if one[1].all(URL) and other[1].most(PRODUCT):
                return one, other, ("referrer", "agent")
        for one, other in pairs:
            if one[1].most(PRODUCT) and other[1].all(URL) and other[1].values:
                return one, other, ("agent", "referrer")
    return *pairs[0], ("referrer", "agent")
