"""What `logagg check` sees of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from logagg.check.preview import Previewer
from logagg.clock import ManualClock
from logagg.config.sections import Config
from logagg.lake.state import State

pytestmark = pytest.mark.unit

LINE = b'198.51.100.7 - - [27/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"'


@pytest.mark.parametrize("before", [b"", b"\n", b"# a comment\n"])
def test_a_line_without_a_newline_counts_if_there_is_no_other(tmp_path: Path, before: bytes) -> None:
    assert _matching(tmp_path, before + LINE) == 1


def test_a_last_line_without_a_newline_may_still_be_being_written(tmp_path: Path) -> None:
    assert _matching(tmp_path, LINE + b"\n" + LINE[:30]) == 1


def test_comments_are_no_reason_to_complain(tmp_path: Path) -> None:
    assert _matching(tmp_path, b"# one\n# two\n   \n" + LINE + b"\n") == 1


def _matching(folder: Path, content: bytes) -> int:
    log = folder / "access.log"
    log.write_bytes(content)
    found = Previewer(Config(), "", State(), ManualClock(1_795_900_000.0)).preview([str(log)])
    assert not found.problems
    [file] = found.files
    return file.matching
