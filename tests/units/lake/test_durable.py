"""Creating files and directories of a lake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logagg.lake import durable, ownership
from logagg.lake.durable import make_directory

OWNER = 1


def test_a_directory_that_another_thread_makes_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New files belong to the owner of their directory; so no other thread may find a directory before its owner is set."""
    if os.geteuid() == 0:
        os.chown(tmp_path, OWNER, OWNER)
    outer, inner, real = tmp_path / "data", tmp_path / "data" / "pages", ownership.give
    entered: list[Path] = []

    def give(path: Path) -> None:
        if not entered:
            entered.append(path)
            make_directory(inner)  # the other thread
        real(path)

    monkeypatch.setattr(durable, "give", give)
    make_directory(outer)
    make_directory(inner)
    expected = tmp_path.stat().st_uid
    assert {path: path.stat().st_uid for path in (outer, inner)} == {outer: expected, inner: expected}
    assert [path.name for path in tmp_path.iterdir()] == ["data"] and [path.name for path in outer.iterdir()] == [
        "pages"
    ]


def test_a_link_in_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to("/")
    with pytest.raises(OSError, match="symbolic link"):
        make_directory(tmp_path / "data")


def test_a_file_in_place_of_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(OSError, match="data"):
        make_directory(tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
