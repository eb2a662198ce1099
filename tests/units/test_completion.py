"""What the shell completes: lakes, reports, and the names that a lake has."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from logagg.cli import logagg
from logagg.query.names import REPORTS
from tests.units.query.conftest import root as root


def completed(*words: str) -> list[str]:
    """Return what is offered for the last of these words."""
    found = ShellComplete(logagg, {}, "logagg", "_LOGAGG_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [one.value if one.type == "plain" else f"{one.type}:{one.value}" for one in found]


def test_reports() -> None:
    assert completed("report", "") == list(REPORTS)
    assert completed("report", "r") == ["referrers", "robots"]


def test_lakes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    (root.parent / "logs").mkdir()
    assert completed("report", "--lake", "") == ["lake"]
    assert completed("report", "--lake", "l") == ["lake"]
    assert completed("report", "--lake", "lo") == ["dir:lo"]
    assert completed("report", "--lake", f"{root.parent}/") == [str(root)]
    assert completed("report", "--lake", "[") == ["dir:["]


def test_columns_and_words_of_queries(root: Path) -> None:
    lake = ("--lake", str(root))
    assert completed("sql", *lake, "SELECT placem") == ["SELECT placement"]
    assert completed("sql", *lake, "SELECT path FROM tra") == ["SELECT path FROM traffic"]
    assert completed("backfill", *lake, "tr") == ["traffic"]
    assert completed("lines", *lake, "--where", "status = 404 a") == ["status = 404 AND"]  # this lake has no requests


@pytest.mark.parametrize("lake", ["/nowhere", "/etc"])
def test_where_nothing_is_known_nothing_is_completed(lake: str) -> None:
    assert completed("sql", "--lake", lake, "SELECT pa") == []
    assert completed("backfill", "--lake", lake, "") == []
