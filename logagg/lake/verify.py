"""Verifies a lake: the files that its catalog names are present and intact, and sums that must agree do.

It only reads, so it may run beside a tail: a catalog and its files stay for a while after they were replaced.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from logagg.errors import LakeError
from logagg.lake import catalog, layout, ownership, salts
from logagg.lake.digests import CHANGED, damage, digest_in, holds, is_intact
from logagg.lake.parts import Part
from logagg.lake.problems import RESTORE, Problem
from logagg.lake.state import FORGOTTEN, NEVER, LostPart, State
from logagg.lake.sums import wrong_sums
from logagg.lake_format import LINK
from logagg.quantities import counted
from logagg.records import Progress

LEAST_SECRET = 16  # bytes
ATTEMPTS = 3  # repeated if a commit happens during verification


@dataclass(frozen=True, slots=True)
class Verification:
    """The extent and the result of a verification."""

    commits: int = 0
    files: int = 0
    bytes: int = 0
    rows: int = 0
    lines: int = 0  # that its sources gave
    orphans: int = 0  # files that the catalog does not name
    orphan_bytes: int = 0
    gone: datetime | None = None  # retention has dropped buckets up to this one
    problems: tuple[Problem, ...] = field(default=())
    undigested: int = 0  # files that an earlier logagg wrote: not every bit of them can be checked
    lost: tuple[LostPart, ...] = ()  # given up by a repair


def verify(root: Path) -> Verification | None:
    """Verify a whole lake; None if it does not exist yet."""
    try:
        found = set(os.listdir(root))
    except FileNotFoundError:
        return None
    except OSError as error:
        return Verification(problems=(Problem(f"{root}: {error.strerror}", "choose another directory with --lake"),))
    if not found & {LINK, "lock"}:
        wrong = (Problem(f"{root}: not a lake, and not empty", "choose another directory with --lake"),)
        return Verification(problems=wrong) if found else None
    if LINK not in found and not any((root / "data").glob("*/*.parquet")):
        return None
    for _ in range(ATTEMPTS):
        current = catalog.newest(root)
        verification = _verified(root, current)
        if not verification.problems or catalog.newest(root) == current:
            break  # otherwise a file may be missing because it was replaced in the meantime
    return verification


def _verified(root: Path, current: Path | None) -> Verification:
    if current is None:
        return Verification(problems=(_lost(root, f"{root / LINK}: the link to the newest catalog is missing"),))
    if not current.exists():
        return Verification(problems=(_lost(root, f"{root / LINK}: {current.name}, which it names, is missing"),))
    if not os.access(current, os.R_OK):
        return Verification(
            problems=(
                *_wrong_owners(root),
                Problem(f"{current}: not allowed to read it", "run it as the lake's owner"),
            )[:1]
        )
    try:
        state = catalog.read(current)
    except LakeError as error:
        return Verification(problems=(_unread(root, error),))
    orphans, former = unnamed(root, state), catalog.former(root, current)
    broken = [*_wrong_files(root, state)]
    problems = [*broken, *_wrong_leftovers((*orphans, *former)), *_wrong_root(root, state), *_wrong_progress(state)]
    problems += [*_wrong_permissions(root), *_wrong_owners(root), *_wrong_keys(root, state)]
    if not broken:
        problems += wrong_sums(root, state)
    return Verification(
        state.id,
        len(state.parts),
        sum(part.bytes for part in state.parts),
        sum(part.rows for part in state.parts),
        state.lines(),
        len(orphans),
        sum(map(_size, orphans)),
        state.gone if state.gone > NEVER else None,
        tuple(problems),
        sum(not digest_in(part.path) for part in state.parts),
        state.lost,
    )


# the catalog


def _unread(root: Path, error: LakeError) -> Problem:
    if "upgrade" in error.hint:
        return Problem(error.message, error.hint)
    return _lost(root, error.message)


def _lost(root: Path, what: str) -> Problem:
    """Return the problem of an unreadable catalog, with the way back to an earlier one if all its files are there."""
    found = sound_before(root)
    if not found:
        return Problem(what, RESTORE)
    path, state = found
    link = shlex.join(["ln", "-sfn", str(path.relative_to(root)), str(root / LINK)])
    return Problem(what, f"go back to commit {state.id} with: {link}; a tail then reads the lines after it again")


def sound_before(root: Path) -> tuple[Path, State] | None:
    """Return the newest catalog that is sound and whose files are all there, and its state."""
    for path in sorted((root / catalog.FOLDER).glob("*.duckdb"), key=catalog.age, reverse=True):
        try:
            state = catalog.read(path)
        except LakeError:
            continue
        if all((root / part.path).exists() for part in state.parts):
            return path, state
    return None


def _wrong_root(root: Path, state: State) -> Iterator[Problem]:
    """Views contain absolute paths: those of a copy read the files of the original lake."""
    if state.root != str(root.resolve()):
        yield Problem(f"{root}: moved or copied from {state.root}", f"logagg compact --lake {root} settles it here")


def unnamed(root: Path, state: State) -> list[Path]:
    """Return the files beside those that a state names: replaced a while ago, or left by a crash."""
    named = {part.path for part in state.parts}
    return [path for path in (root / "data").glob("*/*") if str(path.relative_to(root)) not in named]


# files


def _wrong_files(root: Path, state: State) -> Iterator[Problem]:
    for part in state.parts:
        if complaint := _wrong_file(root, part, state.rollups[part.rollup]):
            hint = f"restore it from a backup; without one, give these rows up with: {layout.repair_command(root)}"
            yield Problem(f"{root / part.path}: {complaint}: {holds(part)}", hint)


def _wrong_file(root: Path, part: Part, schema: pa.Schema) -> str:
    """Return the damage of a part's file, or an empty text; if its digest is right, every bit is."""
    try:
        return damage(root, part) or _wrong_rows(root / part.path, part, schema)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _wrong_leftovers(paths: Iterable[Path]) -> Iterator[Problem]:
    """Verify files that the newest catalog does not name, since readers of earlier snapshots may still use them."""
    for path in paths:
        with contextlib.suppress(OSError):  # a tail may have deleted it just now
            if not is_intact(path):
                yield Problem(
                    f"{path}: {CHANGED}", "the newest snapshot does not need it, so nothing is lost: delete it"
                )


def _wrong_rows(path: Path, part: Part, schema: pa.Schema) -> str:
    """Return how an intact file does not belong to this rollup, or does not match the catalog."""
    with pq.ParquetFile(path) as file:
        rows = file.metadata.num_rows
        written = pa.schema([one for one in schema if one.name not in part.lacks.split(",")])
        wrong = _wrong_columns(file.schema_arrow, written)
    return wrong or ("" if rows == part.rows else f"has {counted(rows, 'row')}, the catalog says {part.rows:,}")


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
                yield Problem(
                    f"{where}: {counted(progress.lines, 'line')} up to position {progress.position:,} {'is' if progress.lines == 1 else 'are'} impossible",
                    RESTORE,
                )


def _is_sane(progress: Progress) -> bool:
    """Check that each line has at least a byte, and that the fingerprint covers bytes before the position."""
    return 0 <= progress.lines <= progress.position and 0 <= progress.fingerprint.length <= progress.position


# permissions


def _wrong_permissions(root: Path) -> Iterator[Problem]:
    secret = root / "secret"
    try:
        found = secret.stat()
    except OSError:
        yield Problem(f"{secret}: missing, so all visitors from now on count as new ones", "restore it from a backup")
        return
    if found.st_size < LEAST_SECRET:
        yield Problem(f"{secret}: too short to keep a secret", "restore it from a backup")
    if found.st_mode & 0o077:
        yield Problem(f"{secret}: others may read it, and guess who visitors are", f"chmod 600 {secret}")
    for path in (root, root / catalog.FOLDER, root / "data", root / "pending"):
        if path.exists() and path.stat().st_mode & stat.S_IWOTH:
            yield Problem(f"{path}: anyone may write there", f"chmod o-w {path}")


def _wrong_owners(root: Path) -> Iterator[Problem]:
    """Find files that do not belong to the lake's owner, as an earlier logagg left them when root ran it."""
    owner = ownership.owner_of(root)
    others = [path for path in root.rglob("*") if _owner(path) not in (owner, None)]
    if owner is not None and others:
        name, whose = ownership.name_of(owner), ownership.name_of(_owner(others[0]) or 0)
        what = f"{others[0]}: belongs to the user {whose}, the lake to {name}"
        more = f"; {len(others) - 1:,} more files are another user's" if others[1:] else ""
        yield Problem(what + more, shlex.join(["chown", "-R", name, str(root)]))


def _owner(path: Path) -> int | None:
    try:
        return path.lstat().st_uid
    except OSError:  # a tail has deleted it just now
        return None


def _wrong_keys(root: Path, state: State) -> Iterator[Problem]:
    """Check the files that identify visitors, and the record of the number of shards."""
    with contextlib.suppress(OSError):  # missing, which was reported, or not accessible
        if (root / "secret").stat().st_size >= LEAST_SECRET and not layout.has_secret(root, state.secret):
            yield Problem(*layout.other_secret(root))
    for found in (_wrong_salts(root), _wrong_shards(root)):
        if found:
            yield Problem(found.message, found.hint)


def _wrong_salts(root: Path) -> LakeError | None:
    return salts.problem(root) if os.access(root / salts.FILE, os.R_OK) else None


def _wrong_shards(root: Path) -> LakeError | None:
    try:
        layout.shards_of(root)
    except LakeError as error:
        return error
    return None
