"""The directory of a lake, as it is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from logagg.errors import LakeError
from logagg.lake import layout


def test_a_link_leads_to_where_the_lake_is_to_be(tmp_path: Path) -> None:
    (tmp_path / "lake").symlink_to("disk/lake")
    layout.make(tmp_path / "lake")
    assert (tmp_path / "disk" / "lake").is_dir()


@pytest.mark.parametrize("name", ["file", "full"])
def test_what_is_there_already_is_no_lake(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").write_text("")
    with pytest.raises(LakeError, match=name):
        layout.make(tmp_path / name)
