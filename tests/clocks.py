"""A wrong clock for a process and its children: libfaketime, whose time is changed while they run."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Command

_PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/opt/homebrew/lib/faketime")


class WrongClock:
    """The clock of all commands that are started from now on; elapsed time is measured correctly."""

    def __init__(self, logagg: Command, library: Path, folder: Path) -> None:
        self._file = folder / "clock"
        logagg.env |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "TZ": "UTC",
        }
        self.right()

    def says(self, moment: str) -> None:
        """Start at a given time, `2026-11-29 10:00:00`."""
        self._write(f"@{moment}")

    def is_off(self, days: float) -> None:
        """Be `days` ahead of the right time, or behind it if negative."""
        self._write(f"{round(days * 86_400):+}")

    def right(self) -> None:
        self._write("+0")

    def _write(self, text: str) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(text)
        os.replace(draft, self._file)  # other processes may read it at any moment


def library() -> Path:
    """Return the path of libfaketime; without it the test is skipped, but fails if CI=1."""
    for place in _PLACES:
        for found in Path("/").glob(f"{place.lstrip('/')}/libfaketimeMT.so*"):
            return found
    if os.environ.get("CI") == "1":
        pytest.fail("faketime is not installed")
    pytest.skip("faketime is not installed")


@pytest.fixture
def wrong_clock(logagg: Command, tmp_path: Path) -> WrongClock:
    return WrongClock(logagg, library(), tmp_path)


def stamp(seconds: float) -> str:
    """Return a time in the format of combined logs."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
