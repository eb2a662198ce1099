"""The newest snapshot of a lake, read-only.

DuckDB resolves the link `logagg.duckdb` to the catalog it points at, so a connection is a snapshot: its answers stay the
same as long as it is open, while the next connection sees later commits.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from logagg import spill
from logagg.errors import CHECK, LakeError, LogaggError
from logagg.lake_format import LINK, refuse_unreadable
from logagg.query.times import zone_of
from logagg.quoting import literal

ATTEMPTS = 3  # to open a snapshot: it can disappear meanwhile, if its grace ends between two system calls


def connect(root: str | os.PathLike[str] = "lake", tz: str = "UTC") -> duckdb.DuckDBPyConnection:
    """Return a plain read-only DuckDB connection to the newest snapshot, which stays the same while it is open.

    For what only a DuckDB connection can do; `logagg.open` sees later commits by itself, and its frames keep integers. `tz`
    is the time zone of days and of the times in answers. Raises LakeError if the lake does not exist, or this version
    cannot read it; LogaggError for an unknown zone.

    >>> with logagg.connect("lake") as connection:
    ...     connection.sql("SELECT total(hits) AS hits FROM traffic").fetchall()
    [(6482,)]
    """
    zone = zone_of(tz or "UTC").key
    return _opened(Path(root), lambda target: _prepared(duckdb.connect(str(target), read_only=True), zone))


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


def catalog_of(connection: duckdb.DuckDBPyConnection) -> Path:
    """Return the catalog file that a connection reads."""
    [(path,)] = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()
    return Path(path)


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


def cursor_of(connection: duckdb.DuckDBPyConnection, zone: str) -> duckdb.DuckDBPyConnection:
    """Return another connection to the same snapshot, for one query."""
    cursor = connection.cursor()
    _set(cursor, zone)
    return cursor
