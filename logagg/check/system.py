"""`logagg check --system`: whether the machine has all that a tail and its readers need.

It checks the rights of the user who runs it, so `sudo -u logagg logagg check --system` says what a service may do.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from logagg.clock import is_set, not_set, written
from logagg.config import places
from logagg.config.sections import Config
from logagg.errors import LogaggError
from logagg.intake.discover import find
from logagg.lake.ownership import name_of, refuse_others
from logagg.quantities import counted, size
from logagg.query.sandbox_kernel import has_seccomp, landlock_version

Level = Literal["ok", "note", "wrong"]
FEW_FILES = 1024  # open files; a tail with a lake needs some hundred of them
LEAST_FREE = 256 << 20  # bytes for a flush, a merge, and the files of older snapshots
REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "ceph", "glusterfs")
VOLATILE = ("tmpfs", "ramfs")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level  # note: it works, but less well
    subject: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        said = f"{self.subject}: {self.text}"
        return f"{said}; {self.remedy}" if self.remedy else said


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and the configuration that are checked."""

    config: Config
    lake: Path
    paths: Sequence[str]  # of logs
    now: float
    proc: Path = Path("/proc")

    def number(self, name: str) -> int | None:
        """Return the number in a file of /proc; None if there is none."""
        try:
            return int((self.proc / name).read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None


def findings(machine: Machine) -> list[Finding]:
    """Check everything; a failure does not prevent the other checks."""
    return [found for look in _LOOKS for found in look(machine)]


def _user(machine: Machine) -> Iterator[Finding]:
    name = name_of(os.geteuid())
    if os.geteuid() == 0:
        yield Finding("note", "user", name, "nothing here needs root: give the service a user of its own")
    else:
        yield Finding("ok", "user", name)


def _configuration(machine: Machine) -> Iterator[Finding]:
    path, looked = machine.config.path, list(places.candidates())
    others = [one for one in looked if os.path.lexists(one) and (path is None or not _is_same(one, path))]
    if path:
        yield Finding("ok", "configuration", str(path))
    elif not others:
        text = f"not found: there is no {', no '.join(map(str, looked))}"
        yield Finding("note", "configuration", text, "the defaults apply; `logagg init` writes one")
    for one in others:
        if os.access(one, os.R_OK):
            yield Finding("note", "configuration", f"{one} is not read, since {path} comes first")
        else:
            yield Finding("wrong", "configuration", f"{one} may not be read", f"chmod a+r {one}")
    if places.SYSTEM.exists() and not os.access(places.SYSTEM, os.X_OK):
        yield Finding("wrong", "configuration", f"not allowed to enter {places.SYSTEM}", f"chmod a+rx {places.SYSTEM}")


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _logs(machine: Machine) -> Iterator[Finding]:
    if not machine.paths:
        yield Finding("note", "logs", "none are named", "write [tail] paths in logagg.toml, or name them as PATH")
        return
    logs = [one for one in find(machine.paths) if one.asked]
    shut = [one.path for one in logs if not os.access(one.path, os.R_OK)]
    if shut:
        text = f"{counted(len(shut), 'file')} may not be read, such as {shut[0]}"
        yield Finding("wrong", "logs", text, _readers(shut[0]))
    if readable := len(logs) - len(shut):
        yield Finding("ok", "logs", f"{counted(readable, 'file')} can be read")


def _readers(path: str) -> str:
    """Return how this user comes to read a file: by its group, where that may."""
    import grp

    found = os.stat(path)
    if not found.st_mode & 0o040:
        return f"not even its group may read it: see `create` in the configuration of logrotate, or chmod g+r {path}"
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return f"add this user to the group {group}: usermod -aG {group} {name_of(os.geteuid())}, or SupplementaryGroups={group}"


def _lake(machine: Machine) -> Iterator[Finding]:
    lake = machine.lake
    if not os.path.lexists(lake):
        folder = _existing(lake)
        if os.access(folder, os.W_OK | os.X_OK):
            yield Finding("ok", "lake", f"none at {lake} yet, and it can be made")
        else:
            remedy = f"mkdir {lake} and chown it, or StateDirectory= of the service; or set [lake] path"
            yield Finding("wrong", "lake", f"{lake} cannot be made: {folder} may not be written", remedy)
        return
    try:
        refuse_others(lake)
    except LogaggError as error:
        yield Finding("note", "lake", error.message, "this user can read it where its modes permit that, and not write")
        return
    if os.access(lake, os.W_OK | os.X_OK):
        yield Finding("ok", "lake", f"{lake} may be written")
    else:
        yield Finding(
            "wrong", "lake", f"{lake} may not be written", "see ReadWritePaths= of the service, and its modes"
        )


def _existing(path: Path) -> Path:
    """Return the nearest folder above a path that there is."""
    return next(one for one in path.absolute().parents if one.is_dir())


def _disk(machine: Machine) -> Iterator[Finding]:
    folder = machine.lake if machine.lake.is_dir() else _existing(machine.lake)
    found = os.statvfs(folder)
    free, kept = found.f_bavail * found.f_frsize, machine.config.requests.max_size
    if found.f_flag & os.ST_RDONLY:
        yield Finding("wrong", "disk", f"the file system of {folder} is read-only", "see dmesg, and ProtectSystem=")
    if free < LEAST_FREE:
        yield Finding("wrong", "disk", f"{size(free)} are free at {folder}", "make room")
    elif free < kept:
        text = f"{size(free)} are free at {folder}, and requests may take {size(kept)}"
        yield Finding("note", "disk", text, "make room, or lower requests.max_size")
    else:
        yield Finding("ok", "disk", f"{size(free)} are free at {folder}")
    if found.f_files and not found.f_favail:
        yield Finding("wrong", "disk", "no inodes are free", "delete files of any size: df --inodes")
    kind = _file_system(machine, folder)
    if kind in REMOTE:
        remedy = "a lake belongs on a local disk, or on NFS 4 with locks if workers on several machines share it"
        yield Finding("note", "disk", f"{folder} is on {kind}", remedy)
    elif kind in VOLATILE:
        yield Finding("note", "disk", f"{folder} is on {kind}, and lost when the machine restarts", "set [lake] path")


def _file_system(machine: Machine, folder: Path) -> str:
    """Return the kind of the file system of a folder; empty where that is not known."""
    real = os.path.realpath(folder)
    try:
        mounts = [line.split()[1:3] for line in (machine.proc / "self/mounts").read_text().splitlines()]
    except (OSError, IndexError):
        return ""
    above = [(where, kind) for where, kind in mounts if real == where or real.startswith(f"{where.rstrip('/')}/")]
    return max(above, key=lambda one: len(one[0]), default=("", ""))[1]


def _files(machine: Machine) -> Iterator[Finding]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # a tail raises its limit to that
    if most != resource.RLIM_INFINITY and most < FEW_FILES:
        text = f"{counted(most, 'file')} may be open at a time"
        yield Finding("wrong", "open files", text, f"ulimit -n {FEW_FILES}, or LimitNOFILE= of the service")
    else:
        yield Finding("ok", "open files", "any number" if most == resource.RLIM_INFINITY else f"up to {most:,}")
    largest, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if largest != resource.RLIM_INFINITY:
        text = f"a file may have {counted(largest, 'byte')} at most"
        yield Finding("wrong", "size of files", text, "ulimit -f unlimited, or LimitFSIZE=infinity")


def _memory(machine: Machine) -> Iterator[Finding]:
    wanted = machine.config.tail.memory
    most = min(_memory_limits(machine))
    if most < wanted + wanted // 5:
        text = f"this process may have {size(most)}, and a tail takes up to {size(wanted + wanted // 5)}"
        yield Finding("wrong", "memory", text, "see MemoryMax= of the service, or lower tail.memory")
    else:
        yield Finding("ok", "memory", f"{size(most)}, of which a tail takes up to {size(wanted + wanted // 5)}")


def _memory_limits(machine: Machine) -> Iterator[int]:
    """Yield the memory of the machine, and the limits of this process and of its control groups."""
    yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        if (most := resource.getrlimit(kind)[0]) != resource.RLIM_INFINITY:
            yield most
    for folder in _control_groups(machine):
        if limit := machine.number(f"/sys/fs/cgroup/{folder}/memory.max"):
            yield limit


def _control_groups(machine: Machine) -> Iterator[Path]:
    """Yield the control group of this process, and those around it."""
    try:
        own = Path((machine.proc / "self/cgroup").read_text().strip().rpartition("::")[2].lstrip("/"))
    except OSError:
        return
    yield from (own, *own.parents)


def _sandbox(machine: Machine) -> Iterator[Finding]:
    version, filters = landlock_version(), has_seccomp()
    if version and filters:
        yield Finding("ok", "sandbox", f"Landlock {version} and seccomp")
    elif version or filters:
        lacks, remedy = (
            ("seccomp", "") if version else ("Landlock", "boot with lsm=landlock,..., of Linux 5.13 or newer")
        )
        yield Finding(
            "note", "sandbox", f"no {lacks}: queries run with fewer guards, and without memory on disk", remedy
        )
    else:
        text = "neither Landlock nor seccomp: logagg sql and logagg lines refuse to run"
        yield Finding("wrong", "sandbox", text, "use Linux 5.13 or newer; see SystemCallFilter= of the service")


def _clock(machine: Machine) -> Iterator[Finding]:
    if not is_set(machine.now):
        yield Finding("wrong", "clock", not_set(machine.now), "set it")
    elif not _is_synchronized():
        text = f"{written(machine.now)}, which no time server keeps right"
        yield Finding("note", "clock", text, "start systemd-timesyncd or chrony")
    else:
        yield Finding("ok", "clock", written(machine.now))


def _is_synchronized() -> bool:
    """Ask the kernel; where it does not tell, assume so."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    unsynchronized = 5  # TIME_ERROR of adjtimex(2)
    return adjtimex is None or adjtimex(ctypes.create_string_buffer(512)) != unsynchronized


def _watches(machine: Machine) -> Iterator[Finding]:
    folders = len({os.path.dirname(one.path) for one in find(machine.paths)})
    most = machine.number("sys/fs/inotify/max_user_watches")
    if not _can_watch():
        text = "no instance of inotify is left for this user: a tail looks every half second instead"
        yield Finding("note", "watches", text, "sysctl fs.inotify.max_user_instances=1024")
    elif most is not None and most < folders:
        text = f"{counted(most, 'folder')} may be watched, and logs are in {folders:,}: a tail looks every half second instead"
        yield Finding("note", "watches", text, f"sysctl fs.inotify.max_user_watches={max(65_536, 2 * folders)}")
    elif most is not None:
        yield Finding("ok", "watches", f"up to {most:,}")


def _can_watch() -> bool:
    """Try to make an instance of inotify; there are 128 for a user, by default."""
    init = getattr(ctypes.CDLL(None), "inotify_init1", None)
    if init is None or (descriptor := init(os.O_CLOEXEC)) < 0:
        return init is None
    os.close(descriptor)
    return True


def _secret(machine: Machine) -> Iterator[Finding]:
    from logagg.cluster.secret import read_secret

    if name := os.environ.get("LOGAGG_SECRET"):
        try:
            read_secret(Path(name))
        except LogaggError as error:
            yield Finding(
                "wrong", "secret", error.message, "LoadCredential= of the service, or a group that may read it"
            )
        else:
            yield Finding("ok", "secret", f"{name} can be read")


def _zones(machine: Machine) -> Iterator[Finding]:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        yield Finding("wrong", "time zones", "the machine has no list of them", "install the package tzdata")


_LOOKS: Sequence[Callable[[Machine], Iterator[Finding]]] = (
    *(_user, _configuration, _logs, _lake, _disk, _files, _memory, _sandbox, _clock, _watches, _secret, _zones),
)
