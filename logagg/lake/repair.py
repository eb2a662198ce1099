"""Repairs a lake: saves what is intact, and gives up damaged parts in a commit that records them in `lost_parts`.

If there is a backup, restore it instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from logagg.clock import Clock
from logagg.config.sections import Config
from logagg.errors import LakeError
from logagg.lake import catalog, durable, layout, locks, salts, verify
from logagg.lake.digests import damage, holds, is_intact
from logagg.lake.durable import failing_as_commit
from logagg.lake.lake import Lake
from logagg.lake.ownership import SECRET, give_link
from logagg.lake.parts import Part
from logagg.lake.problems import RESTORE
from logagg.lake_format import LINK
from logagg.rollup.derived import Definition

KEPT = "damaged"  # the folder for the files of parts that were given up


def repair(root: Path, tables: Sequence[Definition], *, clock: Clock, config: Config) -> Iterator[str]:
    """Repair a lake; yield a line for each step. Raises LakeLocked, LakeError (beyond repair) or CommitFailed."""
    layout.make(root)
    yield from _catalog(root)
    yield from _salts(root)
    before = _secret(root)
    lake = Lake.open(root, tables, clock=clock, config=config, any_secret=True)
    try:
        if before not in ("", lake.state.secret):
            yield f"{root / SECRET}: used from now on; all visitors count as new ones"
        yield from _parts(root, lake)
        yield from _leftovers(root, lake)
    finally:
        lake.close()


def _catalog(root: Path) -> Iterator[str]:
    """Go back to an earlier catalog, if the newest one is missing or damaged."""
    lock = locks.take(root, alone=True)
    try:
        current = _current(root)
        if current is not None and not isinstance(current, LakeError):
            return
        found = verify.sound_before(root)
        if not found:
            if isinstance(current, LakeError):
                raise LakeError(current.message, RESTORE)
            return
        path, state = found
        with failing_as_commit(root):
            _link(root, path)
        yield f"{root / LINK}: goes back to commit {state.id}; a tail reads again what came after it"
    finally:
        os.close(lock)


def _current(root: Path) -> Path | LakeError | None:
    """Return the newest catalog, the problem with it, or None if there is no link to one."""
    try:
        path = catalog.newest(root)
        if path:
            catalog.read(path)
    except LakeError as error:
        if "upgrade" in error.hint:
            raise
        return error
    return path


def _link(root: Path, path: Path) -> None:
    draft = root / f".{path.name}.link"
    durable.remove([draft])
    os.symlink(path.relative_to(root), draft)
    give_link(draft)
    os.replace(draft, root / LINK)
    durable.sync(root)


def _salts(root: Path) -> Iterator[str]:
    if salts.problem(root):
        durable.remove([root / salts.FILE])
        yield f"{root / salts.FILE}: deleted; visitors of the periods that are not over are new ones"


def _secret(root: Path) -> str:
    current = catalog.newest(root)
    return catalog.read(current).secret if current else ""


def _parts(root: Path, lake: Lake) -> Iterator[str]:
    """Give up damaged parts, and move their files aside."""
    with failing_as_commit(root):
        wrong = [(part, what) for part in lake.state.parts if (what := damage(root, part))]
    if not wrong:
        return
    lake.give_up([part for part, _ in wrong])
    for part, what in wrong:
        yield f"{root / part.path}: {what}; given up: {holds(part)}{_kept(root, part)}"


def _leftovers(root: Path, lake: Lake) -> Iterator[str]:
    """Delete damaged files that the newest snapshot does not need."""
    live = catalog.newest(root)
    for path in (*verify.unnamed(root, lake.state), *(catalog.former(root, live) if live else ())):
        with failing_as_commit(root):
            if not is_intact(path):
                path.unlink()
                yield f"{path}: deleted; the newest snapshot did not need it"


def _kept(root: Path, part: Part) -> str:
    """Move the file of a part aside; return a clause that says where it is."""
    place = root / KEPT / part.path.removeprefix("data/").replace("/", "-")
    try:
        durable.make_directory(place.parent)
        (root / part.path).rename(place)
    except OSError:  # it is missing
        return ""
    return f"; its file is kept as {place}"
