"""Directories that are created, deleted and created again are watched, and a missing one is not reported."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from logagg.intake.waker import Waker
from tests.conftest import wait_until

PATIENCE = 30.0  # seconds at most; each wait is much shorter


@pytest.fixture
def notices() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def waker(notices: list[tuple[str, str]]) -> Iterator[Waker]:
    waker = Waker(lambda notice: notices.append((notice.kind, notice.text)))
    yield waker
    waker.stop()


def is_woken_by(waker: Waker, folder: Path) -> bool:
    """Create a file, and return whether that wakes the waker."""
    while waker.wait(0.2):
        pass
    (folder / "access.log").touch()
    return waker.wait(PATIENCE)


def test_a_directory_that_is_created_later(waker: Waker, notices: list[tuple[str, str]], tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    waker.watch([str(folder)])
    folder.mkdir()
    waker.watch([str(folder)])
    assert is_woken_by(waker, folder) and notices == []


@pytest.mark.slow
def test_a_directory_that_is_created_again(waker: Waker, notices: list[tuple[str, str]], tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    for _ in range(3):
        folder.mkdir()
        waker.watch([str(folder)])
        assert is_woken_by(waker, folder)
        shutil.rmtree(folder)
        waker.watch([str(folder)])
    assert notices == []


def test_another_directory_under_the_same_name(waker: Waker, notices: list[tuple[str, str]], tmp_path: Path) -> None:
    """As when another one is mounted over it."""
    folder, other = tmp_path / "logs", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    waker.watch([str(folder)])
    folder.rename(tmp_path / "away")
    other.rename(folder)
    waker.watch([str(folder)])
    assert is_woken_by(waker, folder) and notices == []


def test_a_system_without_watches_is_reported_once(
    waker: Waker, notices: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr("watchdog.observers.api.BaseObserver.schedule", refuse)
    waker.watch([str(tmp_path)])
    waker.watch([str(tmp_path)])
    assert [kind for kind, _ in notices] == ["watch"]
    wait_until(lambda: not waker.wait(0.01))
