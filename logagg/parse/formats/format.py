"""A compiled log format, as the parsers use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from logagg.config.sections import Config
from logagg.parse.envelopes.kinds import is_json

MOST_VALUES = 256
LONGEST_KEY = 256  # bytes
OR = " or "  # between the names of the formats that a source has
TIMES = frozenset(
    {"time_local", "time_iso8601", "time_epoch", "time_epoch_ms", "time_epoch_us", "time_epoch_ns", "time_any"}
)
# Fields of durations, and how many of their units are a second.
UNITS: Mapping[str, int] = {
    "seconds": 1,
    "milliseconds": 1_000,
    "microseconds": 1_000_000,
    "nanoseconds": 1_000_000_000,
}
UPSTREAM_UNITS: Mapping[str, int] = {f"upstream_{name}": unit for name, unit in UNITS.items()}
REQUEST_PARTS = ("method", "target", "path", "query", "protocol")  # fields that a whole request line has in it


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


@dataclass(frozen=True, slots=True)
class Format:
    """A compiled log format: steps for text, or keys for JSON."""

    name: str  # compiling it gives this format again
    prefix: bytes = b""
    steps: tuple[Step, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)  # paths, and the field of each; the preferred ones first
    encoded: frozenset[str] = frozenset()  # fields that are URL-encoded, although they are no URLs
    escaped: bool = True  # the server writes \xHH and \" for unprintable bytes and quotes
    envelope: str = ""  # what is around each line (`envelopes.kinds`), the outermost first: "kubectl+timestamp"
    others: tuple[Format, ...] = ()  # formats that a line may have instead, in the order in which they are tried

    @property
    def closed(self) -> bool:
        """Whether a line that parses is certainly complete, even without its newline."""
        return all(bool(one.keys) or bool(one.steps[-1].until) or is_json(one.envelope) for one in self.each)

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
        return set(self.keys.values()) or {step.field for step in self.steps if step.field}


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
