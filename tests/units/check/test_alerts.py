"""`logagg check` examines alerts."""

from __future__ import annotations

from pathlib import Path

import pytest

from logagg.check.alerts import problems
from logagg.config.load import load
from tests.conftest import Command

CONFIG = """
[[alert]]
name = "errors"
[[alert]]
name = "odd"
query = "SELECT nothing FROM traffic"
[notify.ops]
kind = "webhook"
token_file = "/nowhere/token"
"""


@pytest.mark.slow
def test_problems_are_told(demo: Command) -> None:
    (demo.folder / "logagg.toml").write_text(CONFIG)
    config = load(Path(demo.folder / "logagg.toml"), {})
    (demo.lake / "alerts").mkdir()
    (demo.lake / "alerts/state.json").write_text("x")
    state, token, query = problems(config, demo.lake, 1_800_000_000, is_there=True)
    assert "is not as it was written" in state
    assert token.endswith("logagg.toml:9: token_file: /nowhere/token: cannot be read: No such file or directory")
    assert "logagg.toml:6: query: " in query
    assert 'column "nothing"' in query
    assert len(list(problems(config, demo.lake / "none", 0, is_there=False))) == 1
