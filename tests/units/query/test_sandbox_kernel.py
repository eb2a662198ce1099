"""The tables of system calls are those of the kernel's headers, and the seccomp program decides correctly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from logagg.query import sandbox_kernel as kernel

HEADERS = {
    "x86_64": (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), r"#define __NR_(\w+)\s+(\d+)"),
    "aarch64": (Path("/usr/include/asm-generic/unistd.h"), r"#define __NR(?:3264)?_(\w+)\s+(\d+)"),
}
CHECKED = ("open", "openat", "clone", "fcntl", "prlimit64", "tgkill")
SAME = {"newfstatat": "fstatat"}  # its name in the header


@pytest.mark.parametrize("machine", kernel._MACHINES)
def test_numbers_are_those_of_the_header(machine: str) -> None:
    header, line = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"no {header}")
    known = {name: int(number) for name, number in re.findall(line, header.read_text())}
    _, plain, writing = kernel._MACHINES[machine]
    words = f"{plain} {writing}".split()
    named = {
        **dict(zip(words[::2], map(int, words[1::2]), strict=True)),
        **dict(zip(CHECKED, kernel._CHECKED[machine], strict=True)),
    }
    for name, number in named.items():
        if (name, machine) == ("open", "aarch64"):
            assert number == 0 and name not in known  # the machine has only openat
        else:
            assert known.get(name, known.get(SAME.get(name, ""))) == number, name


DANGEROUS = "socket connect execve execveat fork vfork clone3 ptrace kill chmod fchmodat chown rename link symlink mkdir mount unshare setns"


@pytest.mark.parametrize("machine", kernel._MACHINES)
def test_dangerous_calls_are_not_allowed(machine: str) -> None:
    words = set(" ".join(kernel._MACHINES[machine][1:]).split())
    assert words.isdisjoint(
        DANGEROUS.split() + "openat2 io_uring_setup bpf process_vm_writev prctl setrlimit utimensat setxattr".split()
    )


def action(machine: str, number: int, *arguments: int, writes: bool = False, architecture: int | None = None) -> int:
    """Interpret the program as the kernel does."""
    program = kernel._program(machine, writes=writes)
    data = {0: number, 4: kernel._MACHINES[machine][0] if architecture is None else architecture}
    for index, value in enumerate(arguments):
        data |= {16 + 8 * index: value & 0xFFFFFFFF, 20 + 8 * index: value >> 32}
    at = held = 0
    while True:
        operation, yes, no, operand = program[at]
        at += 1
        if operation == kernel._RETURN:
            return operand
        if operation == kernel._LOAD:
            held = data.get(operand, 0)
        else:
            tests = {
                kernel._EQUAL: held == operand,
                kernel._ANY_BIT: bool(held & operand),
                kernel._AT_LEAST: held >= operand,
            }
            at += yes if tests[operation] else no


@pytest.mark.parametrize("machine", kernel._MACHINES)
def test_arguments_decide(machine: str) -> None:
    import os

    open_, openat, clone, fcntl, prlimit, tgkill = kernel._CHECKED[machine]
    allowed, refused = kernel._ALLOW, lambda error: kernel._REFUSE | error
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_CREAT, os.O_RDWR | os.O_CLOEXEC):
        assert action(machine, openat, 0, 0, flags) == refused(13)
        assert action(machine, openat, 0, 0, flags, writes=True) == allowed
        if open_:
            assert action(machine, open_, 0, flags) == refused(13)
    assert action(machine, openat, 0, 0, os.O_RDONLY | os.O_CLOEXEC) == allowed
    assert action(machine, clone, 0x3D0F00) == allowed and action(machine, clone, 0x11) == refused(1)
    assert action(machine, fcntl, 0, 3) == allowed and {action(machine, fcntl, 0, one) for one in (8, 10)} == {
        refused(1)
    }
    assert action(machine, prlimit, 0, 0, 0) == allowed
    assert {action(machine, prlimit, 0, 0, one) for one in (1, 1 << 40)} == {refused(1)}
    assert action(machine, tgkill, os.getpid()) == allowed and action(machine, tgkill, 1) == refused(1)
    assert action(machine, 999) == refused(38)
    assert {action(machine, 0, architecture=7), action(machine, 0x40000000)} == {kernel._KILL}
