"""Whatever user runs a command on a lake, its files keep their owner, group and modes; or the command is refused."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logagg.clock import ManualClock
from logagg.cluster.quarantine import Attempts, Quarantine
from logagg.config.sections import Config
from logagg.lake import catalog, heartbeats, locks
from logagg.lake.pending import PendingCommits
from logagg.lake.state import PendingCommit
from tests.conftest import Command, combined, wait_until
from tests.laws.crashes import lines
from tests.laws.feed import Sharer

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as another user"),
]

OWNER, OTHER = pwd.getpwnam("daemon"), pwd.getpwnam("nobody")
DRIVER = Path(__file__).with_name("as_user.py")
GROUP = grp.getgrnam("adm").gr_gid  # not the owner's primary group


class AsUser(Command):
    """The installed command, run as a user of the system."""

    user: pwd.struct_passwd | None = None  # None means root
    umask = 0o022

    def argv(self, *arguments: object) -> list[str]:
        user, groups = (self.user.pw_uid, f"{self.user.pw_gid},{GROUP}") if self.user else (0, "0")
        return [sys.executable, str(DRIVER), str(user), groups, f"{self.umask:o}", *map(str, arguments)]


@pytest.fixture
def logagg(tmp_path: Path) -> Iterator[AsUser]:
    """The command of a user who may enter the test's directories, which pytest closes to others."""
    folder = Path("/tmp") / f"logagg-owner-{os.getpid()}-{tmp_path.name}"
    folder.mkdir(mode=0o755)
    os.chown(folder, OWNER.pw_uid, OWNER.pw_gid)
    found = AsUser(folder / "lake", folder)
    found.user = OWNER
    found.env |= {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    yield found
    shutil.rmtree(folder)


def write(logagg: AsUser, *paths: str) -> Path:
    log = logagg.folder / "access.log"
    with log.open("a") as file:
        file.write(combined([(path, 200) for path in paths or ("/a", "/b")]))
    log.chmod(0o644)
    return log


def found(lake: Path) -> dict[str, tuple[int, int, int]]:
    """The owner, group and mode of each file of a lake."""
    stats = {str(path.relative_to(lake.parent)): path.lstat() for path in (lake, *lake.rglob("*"))}
    return {name: (one.st_uid, one.st_gid, one.st_mode & 0o7777) for name, one in stats.items()}


def assert_kept(lake: Path, group: int, *, closed: bool = False) -> None:
    """All files of the lake have its owner and its group; only that group may read them, unless its right was taken away."""
    for name, (owner, of_group, mode) in found(lake).items():
        path = lake.parent / name
        secret = path.name in ("secret", "salts")
        wanted = 0o600 if secret else 0o750 if path.is_dir() else 0o640
        assert (owner, of_group) == (OWNER.pw_uid, group), name
        assert path.is_symlink() or mode & 0o777 == wanted & (0o700 if closed else 0o777), f"{name}: {mode:o}"


WRITING = {
    "compact": ("compact",),
    "expire": ("expire",),
    "backfill": ("backfill", "traffic"),
    "tail": ("tail", "--once", "-q", "access.log"),
    "repair": ("check", "--repair"),
    "silence": ("alert", "silence", "errors", "--for", "1h"),
    "alerts": ("alert", "run", "--once"),
}
READING = (
    ("check",),
    ("report", "overview"),
    ("sql", "SELECT sum(hits) FROM traffic"),
    ("status",),
    ("alert", "list"),
    ("alert", "test", "errors"),
)


@pytest.fixture
def lake(logagg: AsUser) -> Path:
    """A lake of two runs; its log has one further line."""
    os.umask(0o022)  # an earlier test of this process may have left another umask
    (logagg.folder / "logagg.toml").write_text(
        '[privacy]\nrotate = "1d"\n[retention]\nminute = "1d"\nhour = "1d"\n[[alert]]\nname = "disk"\n'
    )
    for number in range(2):
        logagg.run("tail", "--once", "-q", write(logagg, f"/{number}"))
    log = write(logagg, "/more")
    log.write_text(log.read_text().replace("02/Mar/2026", "03/Mar/2026"))  # draws a salt
    return logagg.lake


def harm(lake: Path) -> None:
    """Damage everything that a repair can fix."""
    newest = catalog.newest(lake)
    assert newest
    part = lake / catalog.read(newest).parts[0].path
    for path in (part, newest, lake / "salts"):
        path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(("name", "umask"), [*((name, 0o077) for name in WRITING), ("tail", 0), ("compact", 0o022)])
def test_files_that_root_writes_get_the_owner_of_the_lake(logagg: AsUser, lake: Path, name: str, umask: int) -> None:
    group = GROUP if umask == 0o077 else OWNER.pw_gid  # an administrator lets a group read it
    for path in (lake, *lake.rglob("*")):
        os.chown(path, -1, group, follow_symlinks=False)
    if name == "repair":
        harm(lake)
    logagg.user, logagg.umask = None, umask
    logagg.run(*WRITING[name])
    assert_kept(lake, group)
    logagg.user = OWNER
    logagg.run("tail", "--once", "-q", write(logagg, "/and", "/more"))
    assert_kept(lake, group)


@pytest.mark.thorough
def test_a_backfill_of_root_belongs_to_the_owner_whose_tail_commits_it(logagg: AsUser, lake: Path) -> None:
    """Alone it commits by itself; what it leaves to a tail of the owner, that one must be able to read and to rename."""
    rollup = '[[rollup]]\nname = "{}"\ndimensions = ["path"]\nmeasures = {{hits = "count"}}\n'
    file = logagg.folder / "logagg.toml"
    file.write_text(file.read_text() + rollup.format("one") + rollup.format("other"))
    logagg.user, logagg.umask = None, 0o077
    logagg.run("backfill", "one")
    assert_kept(lake, OWNER.pw_gid)
    logagg.user = OWNER
    tail = logagg.start("tail", "access.log")
    try:
        wait_until(lambda: bool(heartbeats.lock_state(lake).held), tail)
        logagg.user = None
        logagg.run("backfill", "other")
        assert tail.poll() is None
        assert_kept(lake, OWNER.pw_gid)
    finally:
        tail.terminate()
        tail.wait(30)
    assert logagg.read("SELECT sum(hits) FROM one") == logagg.read("SELECT sum(hits) FROM other") != [(None,)]


def test_commands_of_root_that_read_change_nothing(logagg: AsUser, lake: Path) -> None:
    before = found(lake)
    logagg.user, logagg.umask = None, 0
    for argv in READING:
        logagg.run(*argv)
    assert found(lake) == before


def test_a_lake_that_root_creates_in_the_directory_of_a_user_belongs_to_the_user(logagg: AsUser) -> None:
    logagg.lake.mkdir(mode=0o750)
    os.chown(logagg.lake, OWNER.pw_uid, OWNER.pw_gid)
    logagg.user = None
    logagg.run("tail", "--once", "-q", write(logagg))
    assert_kept(logagg.lake, OWNER.pw_gid)


def test_a_lake_that_is_closed_to_its_group_stays_so(logagg: AsUser) -> None:
    logagg.umask = 0o077
    logagg.run("tail", "--once", "-q", write(logagg))
    logagg.user, logagg.umask = None, 0o022
    logagg.run("tail", "--once", "-q", write(logagg))
    logagg.run("compact", "-q")
    assert_kept(logagg.lake, OWNER.pw_gid, closed=True)


def test_a_lake_in_a_mount_that_root_owns_keeps_its_owner(logagg: AsUser) -> None:
    """As a volume of a container: owned by root, and writable for the group of the user."""
    logagg.lake.mkdir()
    os.chown(logagg.lake, 0, OWNER.pw_gid)
    logagg.lake.chmod(0o2770)
    logagg.run("tail", "--once", "-q", write(logagg))
    logagg.user = None
    logagg.run("tail", "--once", "-q", write(logagg))
    logagg.run("compact", "-q")
    owners = {name: one[0] for name, one in found(logagg.lake).items() if name != "lake"}
    assert {name: owner for name, owner in owners.items() if owner != OWNER.pw_uid} == {}
    logagg.user = OWNER
    logagg.run("tail", "--once", "-q", write(logagg))


@pytest.mark.thorough
def test_another_user_is_refused_before_any_file_is_created(logagg: AsUser, lake: Path) -> None:
    for path in (logagg.lake, *logagg.lake.rglob("*")):  # the modes let others write as far as possible
        if not path.is_symlink() and path.name != "secret":
            path.chmod(0o777 if path.is_dir() else 0o666)
    os.chown(lake, -1, OTHER.pw_gid)
    before = found(lake)
    logagg.user = OTHER
    for argv in WRITING.values():
        (message,) = logagg.run(*argv, status=1).stderr.splitlines()
        assert (
            f"belongs to the user {OWNER.pw_name}, and this is run by {OTHER.pw_name}; run it as {OWNER.pw_name}"
            in message
        )
    assert found(lake) == before


def test_root_without_the_right_to_change_owners_is_refused(logagg: AsUser, lake: Path) -> None:
    """As in a container without the capability."""
    before = found(logagg.lake)
    logagg.user = None
    argv = ["setpriv", "--bounding-set=-chown", *logagg.argv(*WRITING["tail"])]
    done = subprocess.run(argv, cwd=logagg.folder, env=logagg.env, capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "run it as the lake's owner" in done.stderr
    assert {name: one[0] for name, one in found(logagg.lake).items()} == {name: one[0] for name, one in before.items()}


def test_files_of_workers_belong_to_the_owner(tmp_path: Path) -> None:
    """Locks, leases, pending commits, the number of shards, quarantined jobs."""
    tmp_path.chmod(0o755)
    lake = tmp_path / "lake"
    lake.mkdir(mode=0o750)
    os.chown(lake, OWNER.pw_uid, GROUP)
    clock = ManualClock(time.time())
    worker = Sharer(lake, clock, Config())
    for number in range(2):
        worker.flush(lines(20 * (number + 1)))
    worker.lake.compact_due()
    worker.lake.salts.key(2_000_000_000)
    PendingCommits(lake).put(PendingCommit("compact", ()))
    held = locks.lease(lake, 7)
    Attempts(lake, 7, clock, print).close()
    Quarantine(lake, print).keep("unique", b"data", "a reason")
    folders = {path.name for path in lake.iterdir() if path.is_dir()}
    assert folders == {"catalog", "data", "pending", "leases", "quarantine"}
    assert len(list((lake / "quarantine").iterdir())) == 3 and len(list((lake / "pending").iterdir())) == 1
    others = {name: one[:2] for name, one in found(lake).items() if one[:2] != (OWNER.pw_uid, GROUP)}
    assert others == {}
    worker.close()
    if held is not None:
        os.close(held)


@pytest.mark.parametrize("group", [0, OWNER.pw_gid])
def test_a_check_names_files_that_root_left_with_an_earlier_logagg(logagg: AsUser, lake: Path, group: int) -> None:
    newest = catalog.newest(lake)
    assert newest
    os.chown(newest, 0, group)
    message = logagg.run("check", status=1).stdout
    assert (
        f"{newest}: belongs to the user root, the lake to {OWNER.pw_name}; chown -R {OWNER.pw_name} {lake}" in message
    )


def test_hard_links_to_other_files_keep_their_owner(tmp_path: Path) -> None:
    """The owner of a lake may create a hard link to root's file there."""
    from logagg.lake.ownership import give

    tmp_path.chmod(0o755)
    os.chown(tmp_path, OWNER.pw_uid, OWNER.pw_gid)
    (tmp_path / "file").write_text("root's")
    os.link(tmp_path / "file", tmp_path / "second")
    with pytest.raises(OSError, match="another name"):
        give(tmp_path / "second")
    (tmp_path / "link").symlink_to(sys.executable)
    with pytest.raises(OSError):
        give(tmp_path / "link")
    assert (tmp_path / "file").stat().st_uid == 0
