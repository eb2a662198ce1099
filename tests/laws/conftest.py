"""What the laws of a lake begin with: a folder without a lake, and a clock that only they move."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from logagg.clock import ManualClock


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time.time())
