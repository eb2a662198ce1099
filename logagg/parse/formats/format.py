"""A compiled log format, as the parsers use it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from logagg.config.sections import Config
from logagg.parse.envelopes.kinds import is_json

MOST_VALUES = 256
LONGEST_KEY = 256  # bytes
OR = " or "  # between the names of the formats that a source has
ZONELESS = ("time_zoneless", "time_asctime", "time_compact", "date", "date_american")  # times without an offset
TIMES = frozenset(
    {
        "time_local",
        "time_iso8601",
        "time_epoch",
        "time_epoch_ms",
        "time_epoch_us",
        "time_epoch_ns",
        "time_any",
        *ZONELESS,
    }
)
# Fields of durations, and how many of their units are a second.
UNITS: Mapping[str, int] = {
    "seconds": 1,
    "milliseconds": 1_000,
    "microseconds": 1_000_000,
    "nanoseconds": 1_000_000_000,
}
UPSTREAM_UNITS: Mapping[str, int] = {f"upstream_{name}": unit for name, unit in UNITS.items()}
# Of the time to serve a request, as load balancers have it.
UPSTREAM_PARTS = ("seconds_before", "upstream_seconds", "seconds_after")
_NEEDED = {
    "time": TIMES,
    "status": frozenset({"status"}),
    "request": frozenset({"request", "target", "path"}),
}
REQUEST_PARTS = ("method", "target", "path", "query", "protocol")  # fields that a whole request line has in it


@dataclass(frozen=True, slots=True)
class PersonalFields:
    """The fields of a line that identify people, which are read only where a setting asks for them."""

    user_id: str = ""  # the variable that tells visitors apart
    users: bool = False  # the names that clients logged in with

    @classmethod
    def of(cls, config: Config) -> PersonalFields:
        """Return what a configuration asks for."""
        return cls(config.visitor, config.privacy.users)

    def wants(self, field_: str) -> bool:
        """Return whether a field of a line is to be read."""
        return self.users or field_ != "user"


NO_PERSONAL_FIELDS = PersonalFields()


@dataclass(frozen=True, slots=True)
class Step:
    """One value of a line, and the literal that ends it."""

    field: str  # "" for an unused value
    until: bytes  # empty only in the last step: the value ends with the line
    quoted: bool = False  # between quotes: a backslash escapes the next byte
    shape: str = ""  # of `shapes.SHAPES`: a line whose value has another one is of another format
    listed: bool = (
        False  # the value may be a list, whose blanks do not end it: `10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80`
    )
    spaces: bool = False  # further blanks may follow the literal


@dataclass(frozen=True, slots=True)
class Column:
    """One value of a line whose values have an order, and one separator between them."""

    field: str  # "" for an unused value
    bracketed: bool = False  # in brackets
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """A compiled log format: steps for text, columns for values in an order, or keys for JSON."""

    name: str  # compiling it gives this format again
    prefix: bytes = b""
    steps: tuple[Step, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)  # paths, and the field of each; the preferred ones first
    encoded: frozenset[str] = frozenset()  # fields that are URL-encoded, although they are not URLs
    whole: frozenset[str] = frozenset()  # fields that may begin with a host: `example.com/a`
    escaped: bool = True  # the server writes \xHH and \" for unprintable bytes and quotes
    columns: tuple[Column, ...] = ()
    separator: bytes = (
        b""  # of columns; a blank stands for several, and for a tab where a line has any; empty: no columns
    )
    needed: int = 0  # columns that a line must have
    open_end: bool = False  # values that are not known may follow
    comment: bytes = b""  # the beginning of comment lines, which are passed over like empty ones
    noise: tuple[bytes, ...] = ()  # the ends of other lines that are passed over
    headed: bool = False  # a comment `#Fields: ...` names the columns of the lines after it
    personal: PersonalFields = NO_PERSONAL_FIELDS  # for such a header
    doubled: bool = False  # the server writes a quote within quotes twice
    zone: str = ""  # of times without an offset; empty: UTC
    envelope: str = ""  # the envelopes of each line (`envelopes.kinds`), the outermost first: "kubectl+timestamp"
    outer_time: bool = False  # its lines have no time: when they were written is what an envelope says
    others: tuple[Format, ...] = ()  # formats that a line may have instead, in the order in which they are tried

    @property
    def passes_over(self) -> bool:
        """Whether lines of it may be no requests."""
        return bool(self.comment or self.noise)

    @property
    def closed(self) -> bool:
        """Whether a line that parses is certainly complete, even without its newline."""
        return all(
            bool(one.keys) or bool(one.steps and one.steps[-1].until) or is_json(one.envelope) for one in self.each
        )

    @property
    def each(self) -> tuple[Format, ...]:
        """This format alone, and the others, in the order in which a line is tried with them."""
        if not self.others:
            return (self,)
        rest = "".join(OR + one.name for one in self.others)
        return replace(self, name=self.name.removesuffix(rest), others=()), *self.others

    @property
    def fields(self) -> set[str]:
        """The named fields of the first format."""
        named = {*(one.field for one in self.steps), *(one.field for one in self.columns)}
        return set(self.keys.values()) or named - {""}


def missing_of(fields: Set[str]) -> str:
    """Return what a format with these fields lacks: a time, a status or a request; empty if it has all."""
    if "clock" not in fields:
        fields = fields - {"date", "date_american"}
    return next((what for what, names in _NEEDED.items() if not names & fields), "")
