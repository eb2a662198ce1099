"""The meaning of values behind the size and the agent, column by column over some lines of one format.

A value is taken for a field only if its shape proves it: three or six decimals are seconds, as nginx writes them; a
whole number is not. Each kind of value (`shapes.kind_of`) is a format of its own, so a client that sends something else in
its header changes the reading of its own line only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

from logagg.parse.combined.tokens import FAR_PORT, Token
from logagg.parse.formats.shapes import has_shape, kind_of
from logagg.parse.geo.countries import known_codes
from logagg.parse.schemas import WRITTEN_DURATION

# Keys before a value, and the field that they name; the value must have the shape of that field as well.
_KEYS = {
    "seconds": "latency rt request_time req_time reqtime time duration resp_time response_time total_time t",
    "upstream_seconds": "urt upstream_response_time ut upstream_time uresp_time upstream_rt urp_time us_rt",
    "cache": "cs cache cache_status upstream_cache_status ucs hit_status",
    "forwarded": "xff x_forwarded_for http_x_forwarded_for forwarded forwarded_for fwd for x-forwarded-for",
    "host": "host vhost http_host server_name domain site h",
    "tls": "tls ssl ssl_protocol sslv tls_version",
    "scheme": "scheme proto s",
    "country": "country cc geo geoip_country_code country_code cf_ipcountry",
}
_FIELD_OF_KEY = {key: field for field, keys in _KEYS.items() for key in keys.split()}
_KIND_OF_FIELD = {"seconds": "decimals", "upstream_seconds": "decimals", "cache": "cache", "forwarded": "addresses"}
_PROOFS = {"host": "site", "country": "country"}  # fields with a shape of their own
_WORDS = {"tls": re.compile(rb"(?:TLSv1(?:\.[0-3])?|SSLv[23])\Z"), "scheme": re.compile(rb"https?\Z")}
_UNITS = {b"ms": "milliseconds", b"us": "microseconds", b"s": "seconds"}  # behind a number, with a blank between them
_NUMBER = re.compile(rb"[0-9]{1,9}(?:\.[0-9]{1,9})?\Z")
_FILE = re.compile(rb"(?i)\.(?:php|html?|js|css|txt|xml|json|png|jpe?g|gif|svg|ico|aspx?|jsp|cgi|sock)\Z")
_WRITTEN = re.compile(WRITTEN_DURATION.encode())
_PAIR = re.compile(rb"([0-9]{1,6})/([0-9]{1,12})\Z")


@dataclass(frozen=True, slots=True)
class Column:
    """The values of some lines at one place."""

    tokens: Sequence[Token]

    @property
    def name(self) -> str:
        """The key before the values."""
        return self.tokens[0].key[:-1].decode().lower()

    @property
    def values(self) -> list[bytes]:
        """The values that there are."""
        return [token.value for token in self.tokens if token.value not in (b"", b"-")]

    @property
    def is_plain(self) -> bool:
        """Whether they are written without quotes, brackets and keys."""
        return not any(token.marks or token.key for token in self.tokens)

    @property
    def is_quoted(self) -> bool:
        """Whether they are written in quotes, without a key."""
        return all(token.marks == b'""' and not token.key for token in self.tokens)

    @property
    def kind(self) -> str:
        """The kind of most of the values."""
        kinds = Counter(kind_of(value) for value in self.values)
        return kinds.most_common(1)[0][0] if kinds else "dash"

    @property
    def has_units(self) -> bool:
        """Whether they are durations with a unit: `12ms`."""
        return bool(self.values) and all(_WRITTEN.fullmatch(one) and not _NUMBER.match(one) for one in self.values)

    @property
    def sum(self) -> int:
        """The sum of the whole numbers in it."""
        return sum(int(value) for value in self.values if value.isdigit())

    @property
    def total(self) -> float:
        """The sum of the numbers in it."""
        return sum(float(number) for value in self.values for number in re.findall(rb"[0-9]+\.[0-9]+", value))

    def all(self, shape: re.Pattern[bytes]) -> bool:
        """Tell whether all values match."""
        return all(map(shape.match, self.values))

    def share(self, shape: re.Pattern[bytes]) -> float:
        """Return which part of the values match; where there are none, whether "-" does."""
        values = self.values or [b"-"]
        return sum(bool(shape.match(value)) for value in values) / len(values)

    def most(self, shape: re.Pattern[bytes]) -> bool:
        """Tell whether at least half of the values match."""
        return self.share(shape) >= 0.5

    def proves(self, field: str) -> bool:
        """Tell whether all values have the shape of a field."""
        values = [value for value in self.values if not _FILE.search(value)]
        if not values or len(values) < len(self.values):
            return False
        if field == "country" and not known_codes().issuperset(values):
            return False
        return all(
            _WORDS[field].match(value) if field in _WORDS else has_shape(value, _PROOFS[field]) for value in values
        )

    @property
    def has_clients(self) -> bool:
        """Whether addresses may be those of clients, by their ports."""
        return self.kind == "addresses" or (self.kind == "sockets" and any(map(FAR_PORT.search, self.values)))


Numbered = Sequence[tuple[int, Column]]  # columns with their numbers in the line


def is_pair(value: bytes) -> bool:
    """Tell whether this is Apache's `%T/%D`: seconds, and the same in microseconds."""
    found = _PAIR.match(value)
    return found is not None and int(found[1]) == int(found[2]) // 1_000_000


def _are_seconds_of(columns: tuple[Column, Column]) -> bool:
    """Tell whether the first column has whole seconds, and the second the same in microseconds: Apache's `%T %D`."""
    pairs = [(one.value, other.value) for one, other in zip(columns[0].tokens, columns[1].tokens, strict=True)]
    if not all(one.isdigit() and other.isdigit() and len(other) < 13 for one, other in pairs):
        return False
    return any(int(one) for one, _ in pairs) and all(int(one) == int(other) // 1_000_000 for one, other in pairs)


def places(columns: Sequence[Column], answer: Mapping[int, str], taken: set[str]) -> list[str]:
    """Return how a template has each column; some are fields of the response, and `taken` are those that the line has
    elsewhere."""
    fields, status = dict[int, str](), min(answer)
    taken = {*taken, *answer.values()}
    others = [(number, column) for number, column in enumerate(columns) if number not in answer]
    for number, field in (*_by_key(others), *_by_kind(others), *_by_proof(others)):
        if number not in fields and field not in taken:
            fields[number] = field
            taken = taken | {field}
    return [
        column.tokens[0].place(f"<{answer[number]}>")
        if number in answer
        else _place(column, fields.get(number, ""), is_sent=number > status)
        for number, column in enumerate(columns)
    ]


def _by_key(columns: Numbered) -> Iterator[tuple[int, str]]:
    for number, column in columns:
        field = _FIELD_OF_KEY.get(column.name, "")
        if column.name in ("ms", "us") and column.values and column.all(_NUMBER):
            yield number, _UNITS[column.name.encode()]
        kind = _KIND_OF_FIELD.get(field)
        if field and (column.kind == kind if kind else column.proves(field)):
            yield number, field
        elif field in ("seconds", "upstream_seconds") and column.has_units:
            yield number, field


def _by_kind(columns: Numbered) -> Iterator[tuple[int, str]]:
    """Yield the fields that the kinds of values without a key prove."""
    bare = [(number, column) for number, column in columns if not column.name]
    units = dict(_by_unit(bare))
    yield from units.items()
    bare = [(number, column) for number, column in bare if number not in units]
    times = [(column.total, -number) for number, column in bare if column.kind == "decimals"]
    # A request takes longer than its upstream, whose response takes longer than its header.
    for (_, number), field in zip(sorted(times, reverse=True), ("seconds", "upstream_seconds"), strict=False):
        yield -number, field
    for one, other in permutations(bare, 2):
        if abs(one[0] - other[0]) == 1 and _are_seconds_of((one[1], other[1])):
            yield other[0], "microseconds"
    for number, column in bare:
        if column.has_clients:
            yield number, "forwarded"
        elif column.kind == "cache":
            yield number, "cache"
        elif all(map(is_pair, column.values)) and column.values:
            yield number, "microseconds"


def _by_unit(bare: Numbered) -> Iterator[tuple[int, str]]:
    """Yield durations whose unit is written behind them: `12ms`, `12.345 ms`."""
    for number, column in bare:
        if column.has_units:
            yield number, "seconds"
    for (number, column), (after, unit) in pairwise(bare):
        words = set(unit.values)
        if after == number + 1 and len(words) == 1 and words <= _UNITS.keys() and column.values and column.all(_NUMBER):
            yield number, _UNITS[words.pop()]


def _by_proof(columns: Numbered) -> Iterator[tuple[int, str]]:
    for number, column in columns:
        if not column.name and column.kind == "other":
            yield from ((number, field) for field in (*_PROOFS, *_WORDS) if column.proves(field))


def _place(column: Column, field: str, *, is_sent: bool) -> str:
    token, kind = column.tokens[0], column.kind
    if field == "microseconds" and is_pair(token.value):
        return token.place("<:digits>/<microseconds:digits>")
    if field in _UNITS.values() and kind == "other" and not column.has_units:
        return token.place(f"<{field}:{'digits' if all(map(bytes.isdigit, column.values)) else 'bare'}>")
    if kind == "other":
        kind = _PROOFS.get(field, kind if token.marks else "bare")
    # Addresses of clients are not sites.
    return token.place(f"<{field}:{'hostname' if kind == 'site' and is_sent else kind}>")
