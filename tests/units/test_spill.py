"""Directories for spilled data: closed to other users, and removed afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import logagg
from logagg import spill
from logagg.query import snapshot
from tests.units.query.conftest import write_catalog


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("logagg.spill.tempfile.tempdir", str(place))
    monkeypatch.setattr(spill, "_ours", {})
    return place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "lake"
    for name in ("data", "catalog"):
        (root / name).mkdir(parents=True)
    write_catalog(root, 1)
    return root


def test_the_directory_is_closed_to_other_users_and_has_a_new_name_each_time(temporary: Path) -> None:
    first, second = spill.Spill(), spill.Spill()
    assert first.path != second.path
    for one in (first, second):
        found = os.stat(one.path)
        assert (found.st_mode & 0o777, found.st_uid) == (0o700, os.geteuid())
        one.remove()
    assert list(temporary.iterdir()) == []


def test_a_process_has_one_directory_for_all_its_connections(root: Path) -> None:
    logagg.connect(root), logagg.connect(root)
    assert snapshot.spill_directory() == spill.directory() != ""
    asked = "SELECT current_setting('temp_directory')"
    assert logagg.connect(root).execute(asked).fetchall() == [(spill.directory(),)]
    spill.remove()


def test_the_directory_of_a_killed_process_is_removed(temporary: Path) -> None:
    left, young, held, linked = (temporary / f"{spill.PREFIX}{name}" for name in ("left", "young", "held", "linked"))
    for path in (left, young):
        path.mkdir(0o700)
        (path / "duckdb_temp_1").write_text("x")
    linked.symlink_to(temporary)
    other = temporary / "other"
    other.mkdir(0o700)
    using = spill.Spill()
    Path(using.path).rename(held)
    for path in (left, held, other):
        os.utime(path, (0, 0))
    spill.remove_abandoned()
    assert {path.name for path in temporary.iterdir()} == {young.name, held.name, linked.name, "other"}


@pytest.mark.parametrize("how", ["sys.exit(0)", "1 / 0", "logagg.cli.command()"])
def test_the_directory_is_removed_however_a_process_ends(root: Path, temporary: Path, how: str) -> None:
    program = (
        "import sys, logagg, logagg.cli; from logagg import spill; sys.argv = ['logagg', '--help'];"
        f"logagg.connect({str(root)!r}); print(len(spill.directory())); sys.stdout.flush(); {how}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True, text=True
    )
    assert int(done.stdout.splitlines()[0]) > 0
    assert list(temporary.iterdir()) == []


def test_without_a_directory_nothing_is_spilled(root: Path, monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setattr("logagg.spill.tempfile.tempdir", str(temporary / "missing"))
    assert spill.directory() == ""
    assert logagg.connect(root).execute("SELECT count(*) FROM made").fetchall() == [(1,)]
