"""Helpers for commands that must fail with one line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import POWERLESS, Command


def failure_line(logagg: Command, *arguments: object, status: int = 1) -> str:
    """Run a command that must fail; return its one line."""
    done = logagg.run(*arguments, status=status)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert "internal error" not in lines[0]
    return lines[0]


@contextmanager
def without_power(logagg: Command, tool: Callable[[str], str]) -> Iterator[None]:
    """Run commands as a user who is bound by permissions, unlike root."""
    argv = logagg.argv
    if os.geteuid() == 0:
        drop = [tool(POWERLESS[0]), *POWERLESS[1:]]
        logagg.argv = lambda *arguments: [*drop, *argv(*arguments)]  # type: ignore[method-assign]
    try:
        yield
    finally:
        logagg.argv = argv  # type: ignore[method-assign]


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)
