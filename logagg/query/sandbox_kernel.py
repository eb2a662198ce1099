"""Kernel restrictions of the process that runs a query: Landlock, seccomp, and resource limits.

Each function restricts the calling process irrevocably, and every thread that it starts afterwards; so they are called
while there is one thread. They need no privileges, and restrict root as much as other users.

    confined_by = restrict_files(...)   Landlock: which files can be opened, and for what; no TCP, no signals to others
    restrict_syscalls(...)              seccomp: only the system calls that a query needs
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

# prctl(2)
_SET_PDEATHSIG, _SET_DUMPABLE, _GET_SECCOMP, _SET_SECCOMP, _SET_NO_NEW_PRIVS = 1, 4, 21, 22, 38
_SIGKILL = 9

# landlock(7); the numbers of its system calls are the same on all machines.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE, _MAKE_REG, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 8, 1 << 14
_TCP = (1 << 0) | (1 << 1)  # bind, connect
_SCOPES = (1 << 0) | (1 << 1)  # abstract Unix sockets, signals
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # version -> number of file rights; 16 from version 5 on
_NET, _SCOPED = 4, 6  # the versions that introduced these
_TRUNCATES = 3  # before this version, rules did not prevent truncation


class Unconfined(Exception):
    """The kernel refused a restriction."""


def _prctl(option: int, *values: int) -> None:
    arguments = (*values, 0, 0, 0, 0)[:4]
    if _libc.prctl(ctypes.c_int(option), *map(ctypes.c_ulong, arguments)):
        raise Unconfined(f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def die_with(parent: int) -> None:
    """End this process when the parent's thread that started it ends in any way; forbid debuggers."""
    if hasattr(_libc, "prctl"):
        _prctl(_SET_PDEATHSIG, _SIGKILL)
        _prctl(_SET_DUMPABLE, 0)
    if os.getppid() != parent:  # the parent ended before the call
        os._exit(1)


def limit_resources(memory: int, seconds: int, file_size: int) -> None:
    """Limit allocation, processor time (0: no limit) and file size of the process; disable core dumps."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_DATA, memory)
    _lower(resource.RLIMIT_FSIZE, file_size)
    if seconds:
        _lower(resource.RLIMIT_CPU, seconds, seconds + 1)  # soft limit: a signal that says why; hard limit: the end


def _lower(what: int, value: int, most: int | None = None) -> None:
    hard = resource.getrlimit(what)[1]
    soft, most = (
        number if hard == resource.RLIM_INFINITY else min(number, hard)
        for number in (value, value if most is None else most)
    )
    resource.setrlimit(what, (soft, most))


def landlock_version() -> int:
    """Return the version of Landlock's interface; 0 if the kernel lacks it."""
    if os.uname().sysname != "Linux":
        return 0
    return max(0, _libc.syscall(*map(ctypes.c_long, (_CREATE_RULESET, 0, 0, 1))))


def can_spill() -> bool:
    """Tell whether the kernel can leave a single directory writable."""
    return landlock_version() >= _TRUNCATES


def restrict_files(files: Iterable[str], directories: Iterable[str], writable: str) -> bool:
    """Leave only these files and directories readable, and one directory writable ("": none); False without Landlock.

    Missing files are skipped.
    """
    version = landlock_version()
    if not version:
        return False
    rights = (1 << _RIGHTS.get(version, 16)) - 1
    ruleset = _ruleset(version, rights)
    for path in files:
        _allow(ruleset, path, _READ_FILE)
    for path in directories:
        _allow(ruleset, path, _READ_FILE | _READ_DIR)
    if writable:
        _allow(
            ruleset, writable, rights & (_READ_FILE | _READ_DIR | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _TRUNCATE)
        )
    _prctl(_SET_NO_NEW_PRIVS, 1)
    _landlock(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    return True


def _ruleset(version: int, rights: int) -> int:
    """Return a descriptor of rules that forbid everything that this version of Landlock can forbid."""
    attributes = struct.pack("=Q", rights)
    if version >= _NET:
        attributes += struct.pack("=Q", _TCP)
    if version >= _SCOPED:
        attributes += struct.pack("=Q", _SCOPES)
    return _landlock(_CREATE_RULESET, attributes, len(attributes), 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _landlock(_ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _landlock(number: int, *arguments: int | bytes) -> int:
    passed = [ctypes.c_char_p(one) if isinstance(one, bytes) else ctypes.c_long(one) for one in arguments]
    found: int = _libc.syscall(ctypes.c_long(number), *passed)
    if found < 0:
        raise Unconfined(f"Landlock: {os.strerror(ctypes.get_errno())}")
    return found


# seccomp(2): a program that the kernel runs at each system call, over its number and its arguments.
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_ENOSYS, _EACCES, _EPERM = 38, 13, 1
_X32 = 0x40000000  # from here on, numbers of another interface of x86-64
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CLONE_THREAD = 0x10000
_FCNTL = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    36,
    37,
    38,
    1030,
)  # duplicate, flags, locks; not F_SETOWN and F_SETSIG, which send signals

_Instruction = tuple[int, int, int, int]  # operation, jump if true, jump if false, operand

# machine -> what the kernel calls it, and the numbers of its system calls.
# In this order: calls allowed with any arguments; further calls of a process that may write into a directory.
_MACHINES: dict[str, tuple[int, str, str]] = {
    "x86_64": (
        0xC000003E,
        """read 0 write 1 close 3 stat 4 fstat 5 lstat 6 poll 7 lseek 8 mmap 9 mprotect 10 munmap 11 brk 12 rt_sigaction 13
        rt_sigprocmask 14 rt_sigreturn 15 pread64 17 readv 19 writev 20 access 21 select 23 sched_yield 24 mremap 25
        msync 26 mincore 27 madvise 28 dup 32 nanosleep 35 getpid 39 exit 60 uname 63 getcwd 79 readlink 89
        gettimeofday 96 getrusage 98 sysinfo 99 times 100 getuid 102 getgid 104 geteuid 107 getegid 108 getppid 110
        sigaltstack 131 statfs 137 fstatfs 138 gettid 186 readahead 187 time 201 futex 202 sched_setaffinity 203
        sched_getaffinity 204 getdents64 217 restart_syscall 219 fadvise64 221 clock_gettime 228 clock_getres 229
        clock_nanosleep 230 exit_group 231 get_mempolicy 239 newfstatat 262 readlinkat 267 faccessat 269 pselect6 270
        ppoll 271 set_robust_list 273 preadv 295 getcpu 309 getrandom 318 membarrier 324 statx 332 rseq 334
        faccessat2 439""",
        "fsync 74 fdatasync 75 ftruncate 77 unlink 87 unlinkat 263 pwrite64 18 fallocate 285 pwritev 296",
    ),
    "aarch64": (
        0xC00000B7,
        """getcwd 17 dup 23 statfs 43 fstatfs 44 faccessat 48 close 57 getdents64 61 lseek 62 read 63 write 64 readv 65
        writev 66 pread64 67 preadv 69 pselect6 72 ppoll 73 readlinkat 78 newfstatat 79 fstat 80 exit 93 exit_group 94
        futex 98 set_robust_list 99 nanosleep 101 clock_gettime 113 clock_getres 114 clock_nanosleep 115
        sched_setaffinity 122 sched_getaffinity 123 sched_yield 124 restart_syscall 128 sigaltstack 132 rt_sigaction 134
        rt_sigprocmask 135 rt_sigreturn 139 times 153 uname 160 getrusage 165 getcpu 168 gettimeofday 169 getpid 172
        getppid 173 getuid 174 geteuid 175 getgid 176 getegid 177 gettid 178 sysinfo 179 readahead 213 brk 214
        munmap 215 mremap 216 mmap 222 fadvise64 223 mprotect 226 msync 227 mincore 232 madvise 233 get_mempolicy 236
        getrandom 278 membarrier 283 statx 291 rseq 293 faccessat2 439""",
        "unlinkat 35 ftruncate 46 fallocate 47 pwrite64 68 pwritev 70 fsync 82 fdatasync 83",
    ),
}
# machine -> open, openat, clone, fcntl, prlimit64, tgkill, whose arguments are checked; 0: missing on this machine
_CHECKED = {"x86_64": (2, 257, 56, 72, 302, 234), "aarch64": (0, 56, 220, 25, 261, 131)}


def has_seccomp() -> bool:
    """Tell whether the kernel has seccomp, and its system calls are known here; a container may still forbid it."""
    return os.uname().sysname == "Linux" and os.uname().machine in _MACHINES and _libc.prctl(_GET_SECCOMP) >= 0


def restrict_syscalls(*, writes: bool) -> bool:
    """Allow only the system calls that a query needs; False if this machine lacks seccomp, or is unknown.

    Without `writes`, files cannot be opened for writing. Other calls fail as if the kernel did not have them: sockets,
    programs, processes, changes of names, owners, modes or times, and signals to other processes.
    """
    if not has_seccomp():
        return False
    machine = os.uname().machine
    program = b"".join(struct.pack("=HBBI", *one) for one in _program(machine, writes=writes))
    held = ctypes.create_string_buffer(program)
    pointer = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(held)))
    _prctl(_SET_NO_NEW_PRIVS, 1)
    try:
        _prctl(_SET_SECCOMP, 2, ctypes.addressof(pointer))
    except Unconfined:  # the kernel lacks it, or a container forbids it
        return False
    return True


def _program(machine: str, *, writes: bool) -> list[_Instruction]:
    architecture, plain, writing = _MACHINES[machine]
    open_, openat, clone, fcntl, prlimit, tgkill = _CHECKED[machine]
    program = [_load(4), (_EQUAL, 1, 0, architecture), _leave(_KILL), _load(0)]
    program += [(_AT_LEAST, 0, 1, _X32), _leave(_KILL)]
    for number in map(int, (plain + " " + writing if writes else plain).split()[1::2]):
        program += _when(number, [_leave(_ALLOW)])
    reading = [_leave(_ALLOW)] if writes else None
    if open_:
        program += _when(open_, reading or _unless_bits(1, _WRITING, _EACCES))
    program += _when(openat, reading or _unless_bits(2, _WRITING, _EACCES))
    program += _when(clone, _if_bits(0, _CLONE_THREAD, _EPERM))
    program += _when(fcntl, _if_among(1, _FCNTL))
    program += _when(prlimit, _if_null(2))  # reading limits is allowed
    program += _when(tgkill, _if_among(0, (os.getpid(),)))
    return [*program, _leave(_REFUSE | _ENOSYS)]


def _when(number: int, then: list[_Instruction]) -> list[_Instruction]:
    return [(_EQUAL, 0, len(then), number), *then]


def _leave(action: int) -> _Instruction:
    return (_RETURN, 0, 0, action)


def _load(offset: int) -> _Instruction:
    return (_LOAD, 0, 0, offset)


def _argument(index: int, *, high: bool = False) -> _Instruction:
    return _load(16 + 8 * index + (4 if high else 0))  # little-endian, as both machines are


def _unless_bits(index: int, bits: int, error: int) -> list[_Instruction]:
    return [_argument(index), (_ANY_BIT, 0, 1, bits), _leave(_REFUSE | error), _leave(_ALLOW)]


def _if_bits(index: int, bits: int, error: int) -> list[_Instruction]:
    return [_argument(index), (_ANY_BIT, 1, 0, bits), _leave(_REFUSE | error), _leave(_ALLOW)]


def _if_among(index: int, values: tuple[int, ...]) -> list[_Instruction]:
    tests = [(_EQUAL, len(values) - position, 0, value) for position, value in enumerate(values)]
    return [_argument(index), *tests, _leave(_REFUSE | _EPERM), _leave(_ALLOW)]


def _if_null(index: int) -> list[_Instruction]:
    refuse = _leave(_REFUSE | _EPERM)
    return [
        _argument(index),
        (_EQUAL, 1, 0, 0),
        refuse,
        _argument(index, high=True),
        (_EQUAL, 1, 0, 0),
        refuse,
        _leave(_ALLOW),
    ]
