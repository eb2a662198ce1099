"""A database of addresses (MaxMind's format, mmdb), mapped into memory, and opened again when its file has changed.

Updates replace the file, mostly by a rename. The mapping of the old file stays valid then, and answers while the new one is
broken or missing. A file that is overwritten in place loses its old content: until the new content is whole, there are no
answers.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from logagg.parse.geo.layouts import FIELDS, NOWHERE, Layout, Path, Place

if TYPE_CHECKING:
    from maxminddb import Reader  # which only a run with databases needs

ALL = 128  # bits of an address
SAMPLE = 1000  # networks that are looked at to learn which fields a database has
_HAS = {  # by words of what a database calls itself: fields that its first networks may lack
    "country": "country",
    "city": "country city",
    "asn": "asn organization",
    "anonymous": "network",
    "enterprise": " ".join(FIELDS),
}


class Unusable(Exception):
    """A database that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class _Stamp:
    """The identity of a file's content: it differs for another file, and after a change."""

    file: tuple[int, int]  # device and inode
    time: int
    size: int

    @classmethod
    def of(cls, path: str) -> _Stamp | None:
        try:
            found = os.stat(path)
        except OSError:
            return None
        return cls((found.st_dev, found.st_ino), found.st_mtime_ns, found.st_size)


@dataclass(slots=True)
class Database:
    """One file. `refresh` looks whether it has changed; nothing else reads the file system."""

    path: str
    country: Path = ()  # where the country is, in a layout of another kind
    problem: str = ""  # with the file as it was last seen
    fields: frozenset[str] = frozenset()  # of `FIELDS`: those that it has
    kind: str = ""  # as it calls itself
    built: str = ""  # the day on which it was made, as it says
    _reader: Reader | None = None
    _layout: Layout = Layout.any()
    _stamp: _Stamp | None = None
    _looked: bool = False

    @property
    def is_usable(self) -> bool:
        return self._reader is not None

    def refresh(self) -> bool:
        """Open the file if it is new or has changed; return whether that is so."""
        stamp = _Stamp.of(self.path)
        if self._looked and stamp == self._stamp:
            return False
        before, self._stamp, self._looked = self._stamp, stamp, True
        try:
            self._open()
            self.problem = ""
        except Unusable as error:
            self.problem = str(error)
            if stamp and before and stamp.file == before.file:  # the mapped content is gone
                self._reader = None
        return True

    def get(self, address: str) -> tuple[Place, int]:
        """Return what it knows of an address, which need not be one, and for how many bits of the address that holds."""
        if self._reader is None:
            return NOWHERE, 0
        try:
            record, bits = self._reader.get_with_prefix_len(address)
        except (
            ValueError,
            TypeError,
            RuntimeError,
        ):  # no address, one of IPv6 for a database of IPv4, or a damaged record
            return NOWHERE, ALL
        return self._layout.place(record), bits

    def _open(self) -> None:
        reader = _opened(self.path)
        metadata = reader.metadata()
        called = metadata.database_type.lower()
        expected = {name for word, has in _HAS.items() if word in called for name in has.split()}
        layout = _layout_of(reader, self.country, expected)
        if not layout.fields:
            raise Unusable(f"it has no countries and no networks ({metadata.database_type[:60]!r})")
        self._reader, self._layout, self.fields, self.kind = reader, layout, layout.fields, metadata.database_type
        self.built = _day(metadata.build_epoch)


def _day(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return "an unknown day"


def _opened(path: str) -> Reader:
    import maxminddb

    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # to open a pipe would block
            raise Unusable("it is not a file")
        return maxminddb.open_database(path)
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from None
    except (RuntimeError, ValueError):  # `InvalidDatabaseError` is a RuntimeError
        raise Unusable("it is not a whole database in MaxMind's format (mmdb)") from None


def _layout_of(reader: Reader, country: Path, expected: set[str]) -> Layout:
    """Return the layout of the first networks of a database."""
    try:
        return Layout.of((record for _, record in islice(reader, SAMPLE)), country, expected)
    except (ValueError, TypeError, RuntimeError):
        raise Unusable("it is damaged") from None
