"""The newest snapshot of a lake, read-only.

DuckDB resolves the link `logagg.duckdb` to the catalog it points at, so a connection is a snapshot: its answers stay the
same as long as it is open, while the next connection sees later commits.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb

from logagg import spill
from logagg.clock import Clock, SystemClock
from logagg.errors import CHECK, LakeError, LogaggError
from logagg.lake_format import LINK, refuse_unreadable
from logagg.query.times import zone_of
from logagg.quoting import literal

if TYPE_CHECKING:
    import pandas as pd

    from logagg.query.reports import Bots
    from logagg.query.status import Status
    from logagg.query.times import When

ATTEMPTS = 3  # a snapshot disappears only if its grace period ends between two system calls

Parameters = Mapping[str, object] | Sequence[object]


def open(root: str | os.PathLike[str] = "lake", clock: Clock | None = None, tz: str = "UTC") -> OpenLake:
    """Open a lake for queries on its newest snapshot.

    `tz` is the time zone of days and of the times in answers. Raises LakeError, and LogaggError for an unknown zone.
    """
    return OpenLake(Path(root), clock or SystemClock(), tz)


def connect(root: str | os.PathLike[str] = "lake", tz: str = "UTC") -> duckdb.DuckDBPyConnection:
    """Return a plain read-only DuckDB connection to the newest snapshot, which stays the same while it is open.

    `tz` is the time zone of days and of the times in answers. Raises LakeError if the lake does not exist, or this version
    cannot read it; LogaggError for an unknown zone.
    """
    link, zone = str(Path(root) / LINK), zone_of(tz or "UTC").key
    return _opened(Path(root), lambda _: _prepared(duckdb.connect(link, read_only=True), zone))


def attach(root: Path, config: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """Return a connection to a new instance, with the newest snapshot attached as `lake`. Raises LakeError."""

    def opened(target: Path) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(":memory:", config=config)
        connection.execute(f"ATTACH {literal(str(target))} AS lake (READ_ONLY)")
        connection.execute("USE lake")
        return connection

    return _opened(root, opened)


def _opened(root: Path, connected: Callable[[Path], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    """Return a connection to the newest snapshot, checked. Raises LakeError."""
    for attempt in range(ATTEMPTS):
        target = target_of(root)
        try:
            connection = connected(target)
            _refuse_newer(connection, root)
            _refuse_moved(connection, root)
            return connection
        except duckdb.Error as error:
            if attempt == ATTEMPTS - 1 or target == target_of(root):
                raise _unreadable(root / LINK, error) from error
    raise AssertionError  # pragma: no cover


def target_of(root: Path) -> Path:
    """Return the catalog file of the newest snapshot. Raises LakeError if the lake does not exist."""
    link = root / LINK
    try:
        return link.resolve(strict=True)
    except PermissionError:
        raise LakeError(f"{link}: not allowed to read it", "ask its owner, or run as the user who tails") from None
    except (OSError, RuntimeError):
        if link.is_symlink():
            raise LakeError(f"{link}: the catalog that it names is missing", CHECK) from None
        raise LakeError(f"{root}: no lake there", "make one with logagg tail --lake DIR, or say --lake DIR") from None


def _unreadable(link: Path, error: duckdb.Error) -> LakeError:
    text = str(error)
    if "newer" in text or "version" in text:
        return LakeError(f"{link}: written by a newer version", "upgrade logagg and duckdb to read it")
    return LakeError(f"{link}: cannot be read ({text.splitlines()[0]})", CHECK)


def _prepared(connection: duckdb.DuckDBPyConnection, zone: str) -> duckdb.DuckDBPyConnection:
    _set(connection, zone)
    # By default DuckDB would spill to a directory beside the catalog, in the lake.
    with contextlib.suppress(duckdb.Error):  # another connection of this process may be using it
        connection.execute(f"SET temp_directory = {literal(spill.directory())}")
    return connection


def _refuse_newer(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    try:
        [(version,)] = connection.execute("SELECT version FROM lake").fetchall()
    except (duckdb.CatalogException, ValueError):
        raise LakeError(f"{root / LINK}: not a catalog of logagg", "say another lake with --lake DIR") from None
    refuse_unreadable(version, root)


def spill_directory() -> str:
    """Return the directory for data of DuckDB that do not fit in memory, private to this process."""
    return spill.directory()


def _refuse_moved(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Raise LakeError for a lake that was moved or copied.

    Views contain absolute paths, so a copy would answer from the files of the original lake.
    """
    [(home,)] = connection.execute("SELECT root FROM lake").fetchall()
    if not _is_same(Path(home), root):
        raise LakeError(f"{root}: moved or copied from {home}", f"logagg compact --lake {root} settles it here")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


class OpenLake:
    """A lake that answers each call from its newest snapshot.

    An answer keeps its snapshot open, so later calls do not change it.
    """

    def __init__(self, root: Path, clock: Clock, tz: str = "UTC") -> None:
        self.root = root
        self._clock, self._zone = clock, zone_of(tz or "UTC")
        self._target: Path | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._newest()

    def sql(self, query: str, params: Parameters | None = None) -> duckdb.DuckDBPyRelation | None:
        """Return the answer as a DuckDB relation (`.df()`, `.arrow()`, `.fetchall()`), or None for a statement without one.

        `params` fill `$name` or `?` in the query. Raises LakeError, and duckdb.Error for a wrong query.
        """
        return self._newest().sql(query, params=params)

    def report(
        self,
        name: str,
        since: When | None = None,
        until: When | None = None,
        *,
        limit: int | None = None,
        site: str | None = None,
        bots: Bots = "include",
    ) -> pd.DataFrame:
        """Return a report as a data frame: all its rows, or the first `limit`.

        `since` and `until` are written as on the command line, or are a datetime, date or timedelta (that long ago).
        `site` and `bots` narrow what is counted. Raises LogaggError.
        """
        from logagg.query import reports

        now = self._clock.now()
        wanted = reports.ReportRequest.of(
            name, now, since=since, until=until, limit=limit, site=site, bots=bots, zone=self._zone
        )
        return reports.frame(reports.run(self._newest(), wanted))

    def lines(
        self,
        where: str = "",
        since: When | None = None,
        until: When | None = None,
        *,
        limit: int = 20,
        paths: Sequence[str | os.PathLike[str]] = (),
    ) -> pd.DataFrame:
        """Return the log lines behind requests, read from their logs: the newest `limit` of them, in the order of time.

        `where` is a condition over `requests`; it runs in the sandbox, so it may come from anybody. `paths` are further
        files and directories to look for rotated logs in. The columns are those of `requests`, with `file`, `line`, and
        `reason`: why there is no line. Raises LogaggError.
        """
        from logagg.query import lines

        asked = lines.LinesRequest.of(where, self._clock.now(), since=since, until=until, limit=limit, zone=self._zone)
        with lines.find(self.root, asked, paths) as found:
            return found.frame()

    def status(self, max_age: float | None = None) -> Status:
        """Return positions, lag, rates and problems, as `logagg status` shows them; `max_age` in seconds."""
        from logagg.query import status

        return status.look(self.root, self._newest(), self._clock.now(), max_age)

    def close(self) -> None:
        """Release the snapshot; earlier answers remain valid."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._target = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        from logagg.quantities import counted

        try:
            found = self._newest().execute("SELECT count(*), max(committed_at) FROM commits").fetchone()
        except LakeError as error:
            return f"<lake {self.root}: {error}>"
        commits, last = found or (0, None)
        when = f", the last at {last:%Y-%m-%d %H:%M:%S} UTC" if last else ""
        views = ", ".join(name for (name,) in self._newest().execute(_VIEWS).fetchall())
        return f"<lake {self.root}: {counted(commits, 'commit')}{when}; views {views}>"

    def _newest(self) -> duckdb.DuckDBPyConnection:
        """Return a connection to the newest snapshot, a new one for each query."""
        target = target_of(self.root)
        if self._connection is None or target != self._target:
            # Never closed here: earlier relations may be read later, and keep their connection open themselves.
            self._connection, self._target = connect(self.root, self._zone.key), target
        return _cursor(self._connection, self._zone.key)


_VIEWS = "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY view_name"


def set_zone(connection: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Set the time zone of days and of times in answers. Raises LogaggError if DuckDB does not know it."""
    try:
        connection.execute(f"SET TimeZone = {literal(zone)}")
    except duckdb.Error:
        raise LogaggError(f"tz: DuckDB does not know the time zone {zone!r}", "say another one, such as UTC") from None


def _set(connection: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Apply the settings that are local to a connection or cursor."""
    set_zone(connection, zone)
    connection.execute(
        "SET python_scan_all_frames = true"
    )  # so that queries can join data frames of the caller by name


def _cursor(connection: duckdb.DuckDBPyConnection, zone: str) -> duckdb.DuckDBPyConnection:
    cursor = connection.cursor()
    _set(cursor, zone)
    return cursor
