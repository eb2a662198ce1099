"""Paths, directories and globs, and the files they mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logagg.errors import SourceError
from logagg.intake import sources
from logagg.intake.sources import Finder, describe


def found(*paths: object) -> list[str]:
    return [os.path.basename(one.path) for one in sources.find([str(path) for path in paths])]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def test_generations_sort_oldest_first(tmp_path: Path) -> None:
    names = ["access.log-20260301.gz", "access.log-20260302", "access.log.10.gz", "access.log.2.gz", "access.log.1", "access.log"]
    touch(tmp_path, *reversed(names))
    assert found(tmp_path) == names
    assert {one.stream for one in sources.find([str(tmp_path)])} == {str(tmp_path / "access.log")}
    assert [one.live for one in sources.find([str(tmp_path)])] == [False] * 5 + [True]


@pytest.mark.parametrize("name", ["access.log", "other_vhosts_access.log", "site-access", "ACCESS.LOG", "a.log-2026-03-01-12", "b.log.1.zst"])
def test_a_directory_means_its_access_logs(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    assert found(tmp_path) == [name]


@pytest.mark.parametrize("name", ["error.log", "error.log.1", "site-error.log", ".access.log", "notes.txt", "catalog"])
def test_and_nothing_else(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, "access.log")
    (tmp_path / "dir.log").mkdir()
    assert found(tmp_path) == ["access.log"]


def test_a_named_file_brings_its_rotations(tmp_path: Path) -> None:
    touch(tmp_path, "my.txt", "my.txt.1", "my.txt.2.gz", "my.txt-20260301", "my.txt.bak", "my.txtx", "other.txt")
    files = sources.find([str(tmp_path / "my.txt")])
    assert [(os.path.basename(one.path), one.asked) for one in files] == [
        ("my.txt-20260301", False),
        ("my.txt.2.gz", False),
        ("my.txt.1", False),
        ("my.txt", True),
    ]


def test_so_does_a_glob(tmp_path: Path) -> None:
    touch(tmp_path, "a.log", "a.log.1", "a.log.2.gz", "b.txt", "b.txt.1")
    files = sources.find([str(tmp_path / "*.log")])
    assert [(os.path.basename(one.path), one.asked) for one in files] == [("a.log.2.gz", False), ("a.log.1", False), ("a.log", True)]


def test_globs(tmp_path: Path) -> None:
    for site in ("a", "b"):
        (tmp_path / site).mkdir()
        touch(tmp_path / site, "x.txt", ".hidden.txt", "y.log")
    assert found(tmp_path / "*" / "*.txt") == ["x.txt", "x.txt"]
    assert found(tmp_path / "a" / "*") == ["x.txt", "y.log"]
    assert found(tmp_path / "a" / "*.txt", tmp_path / "a" / "x.txt") == ["x.txt"]


def test_relative_paths_stay_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "access.log", "access.log.1")
    monkeypatch.chdir(tmp_path)
    assert [one.path for one in sources.find(["access.log"])] == ["access.log.1", "access.log"]
    assert {one.stream for one in sources.find(["*.log*"])} == {str(tmp_path / "access.log")}


def test_links(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    touch(tmp_path, "real.access.log", "secret.txt", "error.log")
    for name in ("real.access.log", "secret.txt", "error.log", "missing.log"):
        (tmp_path / "logs" / f"{name}.log").symlink_to(tmp_path / name)
    assert found(tmp_path / "logs") == ["real.access.log.log"]
    assert found(tmp_path / "logs" / "*.log") == ["real.access.log.log"]
    assert found(tmp_path / "logs" / "secret.txt.log") == ["secret.txt.log"]  # named, so wanted


def test_a_directory_is_listed_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "access.log")
    os.utime(tmp_path, (1, 1))
    finder, listed = Finder([str(tmp_path)], lambda: 1000.0), []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    first = finder.find()
    assert finder.find() is first
    assert len(listed) == 1
    touch(tmp_path, "new.log")
    os.utime(tmp_path, (999, 999))  # a second ago: it may change again within one tick of the clock
    assert len(finder.find()) == 2
    touch(tmp_path, "newer.log")
    os.utime(tmp_path, (999, 999))
    assert len(finder.find()) == 3


def test_stem_of_odd_names() -> None:
    assert describe("/x/1.log").stream == "/x/1.log"
    assert describe("/x/access.log.2026-03-01").stream == "/x/access.log"
    assert describe("/x/access.log.20260301-1200.gz").stream == "/x/access.log"
    assert describe("/x/.gz").live


@pytest.mark.parametrize(("name", "text"), [("missing", "no such file"), ("fifo", "not a regular file"), ("empty", "no access logs")])
def test_check(tmp_path: Path, name: str, text: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=text):
        sources.check([str(tmp_path / name)])
