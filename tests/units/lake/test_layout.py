"""Creating the directory of a lake."""

from __future__ import annotations

from pathlib import Path

import pytest

from logagg.errors import LakeError
from logagg.lake import layout


def test_a_link_may_lead_to_the_directory_of_the_lake(tmp_path: Path) -> None:
    (tmp_path / "lake").symlink_to("disk/lake")
    layout.make(tmp_path / "lake")
    assert (tmp_path / "disk" / "lake").is_dir()


@pytest.mark.parametrize("name", ["file", "full"])
def test_an_existing_file_is_not_a_lake(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").write_text("")
    with pytest.raises(LakeError, match=name):
        layout.make(tmp_path / name)
