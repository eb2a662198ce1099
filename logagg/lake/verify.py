"""Whether a lake is sound: what its catalog names is there and whole, and what must add up does.

Only reads, so it may run beside a tail: a catalog and its files stay for a while after they were replaced.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from logagg import spill
from logagg.cargo import Progress
from logagg.errors import LakeError
from logagg.lake import catalog
from logagg.lake.files import Part
from logagg.lake.state import FORGOTTEN, NEVER, State

RESTORE = "restore it from a backup, or read the logs again into a new lake"
ATTEMPTS = 3  # looks, while commits move on under them


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where, and what to do."""

    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.what}; {self.hint}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was looked at, and what is wrong with it."""

    commits: int = 0
    files: int = 0
    bytes: int = 0
    rows: int = 0
    lines: int = 0  # that its sources gave
    orphans: int = 0  # files that the catalog does not name
    orphan_bytes: int = 0
    gone: datetime | None = None  # retention has dropped buckets up to this one
    problems: tuple[Problem, ...] = field(default=())


def verify(root: Path) -> Verdict | None:
    """Look at a lake, all of it; None where there is none yet."""
    try:
        found = set(os.listdir(root))
    except FileNotFoundError:
        return None
    except OSError as error:
        return Verdict(problems=(Problem(f"{root}: {error.strerror}", "say another directory with --lake"),))
    if not found & {catalog.LINK, "lock"}:
        wrong = (Problem(f"{root}: not a lake, and not empty", "choose another directory with --lake"),)
        return Verdict(problems=wrong) if found else None
    if catalog.LINK not in found and not any((root / "data").glob("*/*.parquet")):
        return None
    for _ in range(ATTEMPTS):
        current = catalog.newest(root)
        verdict = _look(root, current)
        if not verdict.problems or catalog.newest(root) == current:
            break  # else a file may be missing because it was replaced in the meantime
    return verdict


def _look(root: Path, current: Path | None) -> Verdict:
    if current is None:
        return Verdict(problems=(_lost(root, f"{root / catalog.LINK}: the link to the newest catalog is missing"),))
    if not current.exists():
        return Verdict(problems=(_lost(root, f"{root / catalog.LINK}: {current.name}, which it names, is missing"),))
    try:
        state = catalog.read(current)
    except LakeError as error:
        return Verdict(problems=(_unread(root, error),))
    broken = [*_wrong_files(root, state)]
    problems = [*broken, *_wrong_root(root, state), *_wrong_progress(state), *_wrong_permissions(root)]
    if not broken:
        problems += _wrong_sums(root, state)
    orphans = [path for path in (root / "data").glob("*/*") if str(path.relative_to(root)) not in _named(state)]
    return Verdict(
        state.id,
        len(state.parts),
        sum(part.bytes for part in state.parts),
        sum(part.rows for part in state.parts),
        state.lines(),
        len(orphans),
        sum(map(_size, orphans)),
        state.gone if state.gone > NEVER else None,
        tuple(problems),
    )


# the catalog


def _unread(root: Path, error: LakeError) -> Problem:
    if "upgrade" in error.hint:
        return Problem(error.message, error.hint)
    return _lost(root, error.message)


def _lost(root: Path, what: str) -> Problem:
    """Return the problem of a catalog that cannot be read: the one before it will do, if its files are still there."""
    for path in sorted((root / catalog.FOLDER).glob("*.duckdb"), key=lambda path: (len(path.name), path.name), reverse=True):
        try:
            state = catalog.read(path)
        except LakeError:
            continue
        if all((root / part.path).exists() for part in state.parts):
            link = shlex.join(["ln", "-sfn", str(path.relative_to(root)), str(root / catalog.LINK)])
            return Problem(what, f"go back to commit {state.id} with: {link}; a tail then reads again what came after it")
    return Problem(what, RESTORE)


def _wrong_root(root: Path, state: State) -> Iterator[Problem]:
    """Views name their files by whole paths: those of a copy answer from the lake it was copied from."""
    if state.root != str(root.resolve()):
        yield Problem(f"{root}: moved or copied from {state.root}", f"logagg compact --lake {root} settles it here")


def _named(state: State) -> set[str]:
    return {part.path for part in state.parts}


# files


def _wrong_files(root: Path, state: State) -> Iterator[Problem]:
    for part in state.parts:
        if complaint := _wrong_file(root / part.path, part, state.rollups[part.rollup]):
            yield Problem(f"{root / part.path}: {complaint}", RESTORE)


def _wrong_file(path: Path, part: Part, schema: pa.Schema) -> str:
    """Read a file to its end; return what is wrong with it, or nothing."""
    try:
        size = path.stat().st_size
        if size != part.bytes:
            return f"has {size:,} bytes, the catalog says {part.bytes:,}"
        with pq.ParquetFile(path) as file:
            if complaint := _wrong_columns(file.schema_arrow, schema):
                return complaint
            rows = sum(batch.num_rows for batch in file.iter_batches())
    except FileNotFoundError:
        return "is missing"
    except (OSError, pa.ArrowException) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or str(error).splitlines()[0]}"
    return "" if rows == part.rows else f"has {rows:,} rows, the catalog says {part.rows:,}"


def _wrong_columns(found: pa.Schema, expected: pa.Schema) -> str:
    if found.names != expected.names:
        return f"has the columns {', '.join(found.names)}; the rollup has {', '.join(expected.names)}"
    wrong = [one.name for one, other in zip(found, expected, strict=True) if _plain(one.type) != _plain(other.type)]
    return f"has other types than the rollup in {', '.join(wrong)}" if wrong else ""


def _plain(type_: pa.DataType) -> pa.DataType:
    """Return a type without the name that a list gives to its items."""
    return pa.list_(type_.value_type) if pa.types.is_list(type_) else type_


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


# positions


def _wrong_progress(state: State) -> Iterator[Problem]:
    for id_, shards in state.progress.items():
        for shard, progress in shards.items():
            if id_ != FORGOTTEN and not _is_sane(progress):
                where = f"{state.sources[id_].path} (source {id_}, shard {shard})"
                yield Problem(f"{where}: {progress.lines:,} lines up to position {progress.position:,} cannot be", RESTORE)


def _is_sane(progress: Progress) -> bool:
    """A line has at least its newline; the proof covers bytes before the position."""
    return 0 <= progress.lines <= progress.position and 0 <= progress.mark.length <= progress.position


# permissions


def _wrong_permissions(root: Path) -> Iterator[Problem]:
    secret = root / "secret"
    try:
        found = secret.stat()
    except OSError:
        yield Problem(f"{secret}: missing, so visitors from now on are others than those before", "restore it from a backup")
        return
    if found.st_size < 16:
        yield Problem(f"{secret}: too short to keep a secret", "restore it from a backup")
    if found.st_mode & 0o077:
        yield Problem(f"{secret}: others may read it, and guess who visitors are", f"chmod 600 {secret}")
    for path in (root, root / catalog.FOLDER, root / "data", root / "intents"):
        if path.exists() and path.stat().st_mode & stat.S_IWOTH:
            yield Problem(f"{path}: anyone may write there", f"chmod o-w {path}")


# sums


@dataclass(frozen=True, slots=True)
class Law:
    """Two sums, of two rollups, that are the same on every day; SQL over their views."""

    left: str
    right: str
    of_left: str
    of_right: str

    @classmethod
    def of(cls, left: str, right: str) -> Law:
        """Write a law as `agents.hits`, `traffic.hits WHERE status >= 400`, `ads.clicks + clicks_dup`."""
        return cls(left, right, _daily(left), _daily(right))

    @property
    def query(self) -> str:
        return (
            f"SELECT day, sum(a)::HUGEINT, sum(b)::HUGEINT FROM (SELECT day, n AS a, 0 AS b FROM ({self.of_left}) "
            f"UNION ALL SELECT day, 0, n FROM ({self.of_right})) GROUP BY day HAVING sum(a) <> sum(b) ORDER BY day"
        )


def _daily(side: str) -> str:
    summed, _, where = side.partition(" WHERE ")
    view, _, columns = summed.partition(".")
    total = " + ".join(f"sum({column})" for column in columns.split(" + "))
    return (
        f"SELECT time_bucket(INTERVAL 1 DAY, ts) AS day, {total} AS n FROM {view} "
        f"WHERE ts >= $since AND ({where or 'true'}) GROUP BY day"
    )


# A bound on distinct keys folds the rest into (other): sums stay.
LAWS = (
    Law.of("agents.hits", "traffic.hits"),
    Law.of("referrers.hits", "traffic.hits"),
    Law.of("errors.hits", "traffic.hits WHERE status >= 400"),
    Law.of("pages.views", "traffic.hits WHERE kind = 'pageview'"),
    Law.of("pages.errors", "traffic.hits WHERE status >= 400 AND kind IN ('pageview', 'other')"),
    Law.of("ads.impressions", "traffic.hits WHERE kind = 'impression'"),
    Law.of("ads.clicks + clicks_dup", "traffic.hits WHERE kind = 'click'"),
    Law.of("ads.conversions", "traffic.hits WHERE kind = 'conversion'"),
)


def _wrong_sums(root: Path, state: State) -> Iterator[Problem]:
    try:
        with _over(root, state) as connection:
            yield from _wrong_total(connection, state)
            for law in LAWS:
                for day, left, right in connection.execute(law.query, {"since": _whole_days(state)}).fetchall():
                    what = f"{day:%Y-%m-%d}: {law.left} are {left:,}, {law.right} are {right:,}; they should be the same"
                    yield Problem(f"{root}: {what}", RESTORE)
    except duckdb.Error as error:
        yield Problem(f"{root}: its views cannot be summed: {str(error).splitlines()[0]}", RESTORE)


def _over(root: Path, state: State) -> duckdb.DuckDBPyConnection:
    """Return a connection with the rollups' views over the files of this lake, wherever it was before."""
    connection = duckdb.connect(config={"memory_limit": "512MB", "temp_directory": spill.directory()})
    connection.execute("SET TimeZone = 'UTC'")
    for name, schema in state.rollups.items():
        paths = [part.path for part in state.parts if part.rollup == name]
        connection.execute(catalog.view(name, schema, paths, str(root.resolve())))
    return connection


def _whole_days(state: State) -> datetime:
    """Return the first day of which no rollup has lost anything to retention, which drops them one by one."""
    if state.gone == NEVER:
        return NEVER - timedelta(days=36_500)
    return state.gone.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _wrong_total(connection: duckdb.DuckDBPyConnection, state: State) -> Iterator[Problem]:
    """Every line that was read is a hit or a reject, unless retention has dropped its day."""
    [(hits,)] = connection.execute("SELECT coalesce(sum(hits), 0)::BIGINT FROM traffic").fetchall()
    rejects = sum(lines for reasons in state.rejects.values() for lines in reasons.values())
    lines, dropped = state.lines(), state.gone > NEVER
    if hits + rejects > lines or (hits + rejects < lines and not dropped):
        what = f"{hits:,} hits and {rejects:,} rejects are not the {lines:,} lines that its sources gave"
        yield Problem(what, RESTORE)

