"""Reasons why a path matches no log, and exactly what is missing or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logagg.errors import SourceError
from logagg.intake import paths


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one log in a directory of its own, and files that are not logs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "access.log").touch()
    (tmp_path / "logs" / "error.log").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "error.log").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling.log").symlink_to("nowhere/access.log")
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


@pytest.mark.parametrize(
    "path", ["logs", "logs/", "logs/access.log", "logs/*.log", "l*/access.log", "./logs/../logs", "-"]
)
def test_a_path_that_matches_a_log(path: str) -> None:
    assert list(paths.problems([path])) == []
    paths.check([path], waits=False)


MISSING = {
    "nothing.log": "nothing.log: no such file or directory",
    "a/b/nothing.log": "a/b/nothing.log: no such file or directory: there is no a",
    "logs/b/nothing.log": "logs/b/nothing.log: no such file or directory: there is no logs/b",
    "a/": "a/: no such file or directory: there is no a",
    "logs/access.log/more": "logs/access.log/more: no such file or directory: logs/access.log is not a directory",
    "empty": "empty: no access logs in this directory",
    "other": "other: no access logs in this directory",
    "logs/*.txt": "logs/*.txt: matches no file now",
    "a/*.log": "a/*.log: matches no file now: no such file or directory: there is no a",
    "logs/x/*/y.log": "logs/x/*/y.log: matches no file now: no such file or directory: there is no logs/x",
    "*/nothing.log": "*/nothing.log: matches no file now",
}


@pytest.mark.parametrize(("path", "message"), MISSING.items())
def test_a_path_that_may_appear_is_named_and_waited_for(path: str, message: str) -> None:
    [found] = paths.problems([path])
    assert (str(found), found.state) == (message, "missing")
    paths.check([path], waits=True)
    with pytest.raises(SourceError) as refused:
        paths.check(["logs", path], waits=False)
    assert refused.value.message == message and refused.value.hint


def test_the_missing_target_of_a_link_is_named(folder: Path) -> None:
    [found] = paths.problems(["dangling.log"])
    assert str(found).endswith(f"it is a link to {folder}/nowhere/access.log, which is missing")


@pytest.mark.parametrize("path", ["loop/access.log", "loop", "loop/*.log", f"{'x' * 300}.log"])
def test_a_path_that_the_system_refuses_is_waited_for(path: str) -> None:
    [found] = paths.problems([path])
    assert found.state == "refused"
    paths.check([path], waits=True)
    with pytest.raises(SourceError, match="check the path"):
        paths.check([path], waits=False)


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("path", ["fifo", "/dev/null"])
def test_a_path_that_is_not_a_file_is_not_waited_for(path: str, waits: bool) -> None:
    with pytest.raises(SourceError, match="not a regular file; read a pipe as standard input"):
        paths.check([path], waits=waits)


def test_the_missing_right_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """For any user: the rights of root are reported like those of others."""

    def access(path: str, mode: int, **_: object) -> bool:
        return not ((os.path.normpath(path) == "logs" and mode == os.X_OK) or path == "empty")

    monkeypatch.setattr(os, "access", access)
    assert paths.refusal("logs/access.log") == "not allowed to enter logs"
    assert paths.refusal("logs") == "not allowed to enter logs"
    assert paths.refusal("empty") == "not allowed to enter empty"
    assert paths.refusal("other/error.log") == ""
    assert paths.detail("logs/access.log") == ": not allowed to enter logs"
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK)
    assert paths.refusal("logs/access.log") == "not allowed to read logs/access.log"
    assert paths.detail("logs/access.log") == ""
    [found] = paths.problems(["logs/access.log"])
    assert (found.state, str(found)) == ("refused", "logs/access.log: permission denied")
