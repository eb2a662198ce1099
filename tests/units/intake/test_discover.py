"""Paths, directories and globs, and the files that they match."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from logagg.intake import discover
from logagg.intake.discover import Finder


def found(*paths: object) -> list[str]:
    """Return the names of the files that these paths match."""
    return [os.path.basename(one.path) for one in discover.find([str(path) for path in paths]) if one.asked]


def beside(*paths: object) -> list[tuple[str, str]]:
    """Return the names and streams of the other files that may be renamed logs."""
    files = [one for one in discover.find([str(path) for path in paths]) if not one.asked]
    return [(os.path.basename(one.path), os.path.basename(one.stream)) for one in files]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def test_generations_sort_oldest_first(tmp_path: Path) -> None:
    names = [
        "access.log-20260301.gz",
        "access.log-20260302",
        "access.log.10.gz",
        "access.log.2.gz",
        "access.log.1",
        "access.log",
    ]
    touch(tmp_path, *reversed(names))
    assert found(tmp_path) == names
    assert {one.stream for one in discover.find([str(tmp_path)])} == {str(tmp_path / "access.log")}
    assert [one.live for one in discover.find([str(tmp_path)])] == [False] * 5 + [True]


@pytest.mark.parametrize(
    "name",
    ["access.log", "other_vhosts_access.log", "site-access", "ACCESS.LOG", "a.log-2026-03-01-12", "b.log.1.zst"]
    + ["terror-museum.example.com.log", "access-error.log", "mirror.log"],
)
def test_a_directory_matches_its_access_logs(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    assert found(tmp_path) == [name]


def test_what_is_kept_apart_is_found_only_by_its_own_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.log", "b.log", "b.log.1", "c.log")
    apart = [str(tmp_path / "b.log")]

    def asked(*paths: str) -> list[str]:
        return [os.path.basename(one.path) for one in discover.find(paths, apart) if one.asked]

    assert asked(str(tmp_path)) == asked(str(tmp_path / "*.log")) == ["a.log", "c.log"]
    assert asked(str(tmp_path / "b.log")) == ["b.log"]


@pytest.mark.parametrize(
    "name",
    [
        "access.log.swp",
        "#access.log#",
        "access.log.tmp",
        "error.log",
        "error.log.1",
        "site-error.log",
        "php_errors.log",
        ".access.log",
        "notes.txt",
        "catalog",
    ],
)
def test_a_directory_matches_no_other_files(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, "access.log")
    (tmp_path / "dir.log").mkdir()
    assert found(tmp_path) == ["access.log"]


def test_a_named_file_matches_its_rotations_and_possible_new_names(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "my.txt",
        "my.txt.1",
        "my.txt.2.gz",
        "my.txt-20260301",
        "my.txt.bak",
        "my.txtx",
        "other.txt",
        ".hidden",
    )
    assert found(tmp_path / "my.txt") == ["my.txt"]
    rotations = ["my.txt-20260301", "my.txt.2.gz", "my.txt.1", "my.txt.bak"]
    others = [("my.txtx", "my.txtx"), ("other.txt", "other.txt")]
    assert beside(tmp_path / "my.txt") == [*((name, "my.txt") for name in rotations), *others]


def test_a_glob_matches_rotations_and_possible_new_names(tmp_path: Path) -> None:
    touch(tmp_path, "a.log", "a.log.1", "a.log.2.gz", "b.txt", "b.txt.1")
    assert found(tmp_path / "*.log") == ["a.log"]
    assert beside(tmp_path / "*.log")[:2] == [("a.log.2.gz", "a.log"), ("a.log.1", "a.log")]


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
    assert [one.path for one in discover.find(["access.log"])] == ["access.log.1", "access.log"]
    assert {one.stream for one in discover.find(["*.log*"])} == {str(tmp_path / "access.log")}


def test_links(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    touch(tmp_path, "real.access.log", "secret.txt", "error.log")
    for name in ("real.access.log", "secret.txt", "error.log", "missing.log"):
        (tmp_path / "logs" / f"{name}.log").symlink_to(tmp_path / name)
    assert found(tmp_path / "logs") == ["real.access.log.log"]
    assert found(tmp_path / "logs" / "*.log") == ["real.access.log.log"]
    assert found(tmp_path / "logs" / "secret.txt.log") == ["secret.txt.log"]  # named by the user, so wanted


def test_the_rotations_of_a_link_are_beside_its_target(tmp_path: Path) -> None:
    for folder in ("logs", "data"):
        (tmp_path / folder).mkdir()
    touch(tmp_path / "data", "site.access.log", "site.access.log.1")
    (tmp_path / "logs" / "access.log").symlink_to(tmp_path / "data" / "site.access.log")
    for path in (tmp_path / "logs", tmp_path / "logs" / "access.log", tmp_path / "logs" / "*"):
        assert found(path) == ["access.log"]
        assert ("site.access.log.1", "access.log") in beside(path)


def test_an_entry_that_cannot_be_followed_does_not_hide_the_others(tmp_path: Path) -> None:
    touch(tmp_path, "a.log", "z.log")
    for number in range(5):
        (tmp_path / f"l{number}").symlink_to(f"l{number}")
    finder = Finder([str(tmp_path)], lambda: 0.0)
    assert [os.path.basename(one.path) for one in finder.find()] == ["a.log", "z.log"]
    [(folder, problem)] = finder.problems()
    assert folder == str(tmp_path)
    assert problem.startswith("l0, l1, l2 and 2 others cannot be followed (Too many levels")


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
    os.utime(tmp_path, (999, 999))  # changed a second ago: it may change again within one tick of the clock
    assert len(finder.find()) == 2
    touch(tmp_path, "newer.log")
    os.utime(tmp_path, (999, 999))
    assert len(finder.find()) == 3


def test_the_target_of_a_link_appears_and_disappears_in_an_unchanged_directory(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "access.log").symlink_to(tmp_path / "site.access.log")
    os.utime(tmp_path / "logs", (1, 1))
    finder = Finder([str(tmp_path / "logs")], lambda: 1000.0)
    assert finder.find() == []
    touch(tmp_path, "site.access.log")
    assert [os.path.basename(one.path) for one in finder.find() if one.asked] == ["access.log"]


def test_the_youngest_of_logs_with_dates_is_live(tmp_path: Path) -> None:
    touch(tmp_path, "access-2026-11-28.log", "access-2026-11-29.log", "access-2026-11-27.log.gz")
    assert [one.live for one in discover.find([str(tmp_path)])] == [False, False, True]
    touch(tmp_path, "access.log")
    assert [one.live for one in discover.find([str(tmp_path)])] == [False, False, False, True]


def test_a_directory_may_appear_disappear_and_appear_again(tmp_path: Path) -> None:
    folder, now = tmp_path / "logs", 1_000.0
    finder = Finder([str(folder)], lambda: now)
    assert [one.path for one in finder.find()] == [str(folder)], "it is unknown yet whether this will be a file"
    for _ in range(2):
        folder.mkdir()
        touch(folder, "access.log", "notes.txt")
        os.utime(folder, (1, 1))
        for _ in range(2):
            assert [one.path for one in finder.find() if one.asked] == [str(folder / "access.log")]
        shutil.rmtree(folder)
        finder.find()
        assert [one.path for one in finder.find()] == [str(folder)]


def test_a_directory_that_cannot_be_listed_is_reported(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    finder = Finder([str(tmp_path / "loop" / "*.log"), str(tmp_path / "missing" / "*.log")], lambda: 1_000.0)
    finder.find()
    expected = [(str(tmp_path / "loop"), "cannot be listed (Too many levels of symbolic links)")]
    assert list(finder.problems()) == list(finder.hidden()) == expected


@pytest.mark.parametrize(
    ("name", "path", "hides"),
    [("foo", "", False), ("access.log", "", True), ("foo", "*.log", False), ("foo", "f*", True)],
)
def test_an_entry_that_cannot_be_followed_may_hide_a_log(tmp_path: Path, name: str, path: str, hides: bool) -> None:
    (tmp_path / name).symlink_to(name)
    (tmp_path / "other.log").touch()
    finder = Finder([os.path.join(tmp_path, path) if path else str(tmp_path)], lambda: 1_000.0)
    finder.find()
    assert len(list(finder.problems())) == 1, "it is reported"
    assert len(list(finder.hidden())) == hides
