"""A compiled log format, as the parsers use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from logagg.config.sections import Config

MOST_VALUES = 256
LONGEST_KEY = 256  # bytes
TIMES = frozenset({"time_local", "time_iso8601", "time_epoch", "time_epoch_ms", "time_epoch_us"})
REQUEST_PARTS = ("method", "target", "path", "query", "protocol")  # fields that a whole request line has in it


@dataclass(frozen=True, slots=True)
class Step:
    """One value of a line, and the literal that ends it."""

    field: str  # "" for an unused value
    until: bytes  # empty only in the last step: the value ends with the line
    quoted: bool = False  # between quotes: a backslash escapes the next byte


@dataclass(frozen=True, slots=True)
class Format:
    """A compiled log format: steps for text, or keys for JSON."""

    name: str  # compiling it gives this format again
    prefix: bytes = b""
    steps: tuple[Step, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    escaped: bool = True  # the server writes \xHH and \" for unprintable bytes and quotes

    @property
    def closed(self) -> bool:
        """Whether a line that parses is certainly complete, even without its newline."""
        return bool(self.keys) or bool(self.steps[-1].until)


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
