"""Heartbeats in the directory of a lake, and the lock that shows whether their tail lives."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from logagg.heartbeat import Heartbeat
from logagg.lake import heartbeats, locks

BEAT = Heartbeat("", "host", os.getpid(), 0, 1.0, 2.0)


def test_the_newest_is_read(tmp_path: Path) -> None:
    assert heartbeats.read(tmp_path) is None
    for unread in (1, 2):
        heartbeats.write(tmp_path, replace(BEAT, unread=unread))
    assert heartbeats.read(tmp_path) == replace(BEAT, unread=2, heard=2.0)
    assert [path.name for path in tmp_path.iterdir()] == ["tail.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_a_torn_heartbeat_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tail.json").write_bytes(content)
    assert heartbeats.read(tmp_path) is None


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", ".", "..", "a/b", "\0", "x" * 1000, "ä" * 100, "web1", "%2e", "caf\udce9"]
)
def test_no_name_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    beat = replace(BEAT, tailer=name, heard=5.0)
    heartbeats.write_remote(lake, beat)
    heartbeats.write_remote(lake, replace(beat, tailer="other"))
    assert sorted(one.tailer for one in heartbeats.read_remote(lake)) == sorted([name, "other"])
    assert {path.name for path in tmp_path.iterdir()} == {"lake"} and {path.name for path in lake.iterdir()} == {
        "tails"
    }
    assert len(list((lake / "tails").iterdir())) == 2


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    other_file = tmp_path / "other_file"
    other_file.write_text("mine")
    (tmp_path / "tail.json").symlink_to(other_file)
    (tmp_path / ".tail.json").symlink_to(other_file)
    heartbeats.write(tmp_path, BEAT)
    assert other_file.read_text() == "mine" and not (tmp_path / "tail.json").is_symlink()


def test_the_lock_shows_which_run_holds_it(tmp_path: Path) -> None:
    assert heartbeats.lock_state(tmp_path).held is False
    lock = locks.take(tmp_path, alone=True)
    locks.sign(lock)
    state = heartbeats.lock_state(tmp_path)
    ours = replace(BEAT, lock=state.taken)
    assert (state.held, state.pid, state.is_of(ours)) == (True, os.getpid(), True)
    os.close(lock)
    state = heartbeats.lock_state(tmp_path)
    assert (state.held, state.is_of(ours)) == (False, True)
    # Another run whose process has the same number, as in a container.
    os.utime(tmp_path / "lock", ns=(1, ours.lock + 1))
    assert not heartbeats.lock_state(tmp_path).is_of(ours)


def test_reading_the_lock_does_not_block_it(tmp_path: Path) -> None:
    for _ in range(3):
        os.close(locks.take(tmp_path, alone=True))
        heartbeats.lock_state(tmp_path)
