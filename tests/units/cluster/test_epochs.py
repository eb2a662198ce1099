"""The last epoch of a tailer is known to the next owner of a shard, independently of clocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from logagg.cluster import epochs
from logagg.cluster.epochs import Epochs


def made(root: Path, notices: list[str] | None = None) -> Epochs:
    return Epochs(root, 7, lambda notice: (notices if notices is not None else []).append(notice.text))


def test_a_higher_epoch_supersedes_a_lower_one(tmp_path: Path) -> None:
    shard = made(tmp_path)
    assert shard.last("web1") == 0
    assert shard.admits("web1", 1, "first")
    assert shard.admits("web1", 2, "second")
    assert not shard.admits("web1", 1, "first")
    assert shard.admits("web1", 2, "second")
    assert shard.last("web1") == 2


def test_the_first_of_two_runs_with_the_same_epoch_gets_it(tmp_path: Path) -> None:
    shard = made(tmp_path)
    assert shard.admits("web1", 1, "first")
    assert not shard.admits("web1", 1, "second")
    assert shard.admits("web1", 1, "first")


def test_the_epochs_of_tailers_are_independent(tmp_path: Path) -> None:
    shard = made(tmp_path)
    assert shard.admits("web1", 9, "one") and shard.admits("web2", 1, "other")


def test_the_next_owner_knows_the_epochs(tmp_path: Path) -> None:
    made(tmp_path).admits("web1", 3, "run")
    next_ = made(tmp_path)
    assert next_.last("web1") == 3
    assert not next_.admits("web1", 3, "another") and next_.admits("web1", 3, "run")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"web1": 3}', '{"web1": ["x", 3]}', "\0" * 9])
def test_an_incomplete_file_counts_as_missing(tmp_path: Path, text: str) -> None:
    made(tmp_path).admits("web1", 3, "run")
    (tmp_path / "epochs/shard.7").write_text(text)
    assert made(tmp_path).last("web1") == 0


def test_a_failing_disk_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "epochs").symlink_to(tmp_path)
    notices: list[str] = []
    shard = made(tmp_path, notices)
    assert shard.admits("web1", 3, "run") and shard.last("web1") == 3
    assert "symbolic link" in notices[0]


def test_the_number_of_remembered_tailers_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "REMEMBERED", 3)
    shard = made(tmp_path)
    for number in range(5):
        shard.admits(f"web{number}", 1, "run")
        shard.admits("web0", number + 2, "run")
    assert [made(tmp_path).last(f"web{number}") for number in range(5)] == [6, 0, 0, 1, 1]
