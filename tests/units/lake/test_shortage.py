"""The reason of a refused write: each exhausted resource is named, with its remedy."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pytest

from logagg.errors import CommitFailed
from logagg.lake.durable import failing_as_commit
from logagg.lake.shortage import advice

GB = 1 << 30


def disk(monkeypatch: pytest.MonkeyPatch, *, free: int = GB, inodes: int = 1000, most: int = 5000) -> None:
    found = SimpleNamespace(f_bavail=free // 4096, f_frsize=4096, f_favail=inodes, f_files=most)
    monkeypatch.setattr(os, "statvfs", lambda _: found)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.EDQUOT, "the disk quota of the user root is used up"),
        (errno.EFBIG, "the file system allows no file of that length"),
        (errno.EMFILE, "raise ulimit -n, or LimitNOFILE="),
        (errno.ENFILE, "fs.file-max"),
        (errno.EROFS, "its file system is read-only"),
        (errno.EACCES, "the user root may not write there"),
        (errno.EPERM, "the user root may not write there"),
        (errno.EIO, "the disk fails"),
    ],
)
@pytest.mark.parametrize("form", ["of the system", "of DuckDB", "of Arrow"])
def test_each_shortage_has_its_remedy(
    code: int, says: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk(monkeypatch, free=0, inodes=0)  # not the cause of the error
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    text = f'Could not write file "x": {os.strerror(code)}'
    errors = {
        "of the system": OSError(code, os.strerror(code)),
        "of DuckDB": duckdb.IOException(text),
        "of Arrow": pa.ArrowException(text),
    }
    message = advice(tmp_path, errors[form])
    assert says in message and message.endswith("nothing is lost")
    assert "make room" not in message and "inodes" not in message


@pytest.mark.parametrize("text", ["No space left on device", "of which the text says nothing"])
@pytest.mark.parametrize(
    ("free", "inodes", "most", "says"),
    [
        (52_000_000, 0, 60, "no inodes are free on its file system (60 in use): delete files"),
        (4096, 900, 1000, "the disk has 4,096 bytes free: make room"),
        (4096, 0, 0, "the disk has 4,096 bytes free: make room"),  # a file system without a limit of inodes
    ],
)
def test_a_full_disk_lacks_bytes_or_inodes(
    free: int, inodes: int, most: int, says: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk(monkeypatch, free=free, inodes=inodes, most=most)
    assert advice(tmp_path, duckdb.IOException(text)) == says + (
        "; nothing is lost" if "delete files" not in says else ", however small they are; nothing is lost"
    )


def test_a_disk_that_reports_to_be_full_and_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch)
    message = advice(tmp_path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert "1,073,741,824 bytes and 1,000 inodes are free: a quota" in message


def test_errors_without_a_shortage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch)
    assert advice(tmp_path, OSError("odd")) == "nothing is lost; it can be tried again"
    assert advice(tmp_path, pa.ArrowInvalid("no Parquet")) == "nothing is lost; `logagg check` says what to do"


def limited(limit: int, value: int, act: Callable[[], object]) -> CommitFailed:
    """Let a limit of the kernel refuse an action."""
    soft, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (value, hard))
    try:
        with pytest.raises(CommitFailed) as failure:
            act()
    finally:
        resource.setrlimit(limit, (soft, hard))
    return failure.value


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    def act() -> None:
        with failing_as_commit(tmp_path):
            (tmp_path / "file").write_bytes(bytes(2000))

    assert "files of 1,000 bytes at most: raise ulimit -f" in limited(resource.RLIMIT_FSIZE, 1000, act).hint


def test_a_limit_on_open_files(tmp_path: Path) -> None:
    highest = max(map(int, os.listdir("/proc/self/fd")))

    def act() -> None:
        with failing_as_commit(tmp_path):
            opened = []
            try:
                while True:
                    opened.append((tmp_path / "file").open("wb"))
            finally:
                for file in opened:
                    file.close()

    assert f"may have {highest + 3:,} files open" in limited(resource.RLIMIT_NOFILE, highest + 3, act).hint
