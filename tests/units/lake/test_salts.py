"""Salts are created with their period and deleted a grace after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from logagg.errors import LakeError
from logagg.lake.salts import FILE, GRACE, Salts

DAY = 86_400
SECRET = b"s" * 32


class Wall:
    """A clock that can be set."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_a_key_is_that_of_its_period_and_survives_a_restart(tmp_path: Path) -> None:
    salts = Salts(tmp_path, SECRET, Wall(10))
    assert salts.key(DAY) == salts.key(DAY) != salts.key(2 * DAY)
    assert Salts(tmp_path, SECRET, Wall(10)).key(DAY) == salts.key(DAY)
    assert Salts(tmp_path, b"t" * 32, Wall(10)).key(DAY) != salts.key(DAY)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_salt_is_deleted_when_its_period_and_its_use_are_long_past(tmp_path: Path) -> None:
    wall = Wall(100 * DAY)
    salts = Salts(tmp_path, SECRET, wall)
    today, old = salts.key(101 * DAY), salts.key(7 * DAY)
    wall.at += GRACE - 1
    salts.forget_past()
    assert (salts.key(101 * DAY), salts.key(7 * DAY)) == (today, old)
    wall.at += 1
    salts.forget_past()
    assert str(7 * DAY) not in (tmp_path / FILE).read_text()
    assert (salts.key(101 * DAY), salts.key(7 * DAY) == old) == (today, False)
    wall.at += DAY
    salts.forget_past()
    assert Salts(tmp_path, SECRET, wall).key(101 * DAY) != today


def test_a_broken_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(LakeError, match="salts: cannot be read"):
        Salts(tmp_path, SECRET, Wall(0))
