"""Configurations of servers in a directory, and what is found in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logagg.servers import installed
from logagg.servers.find import Configuration, Kind
from logagg.servers.logs import ServerLog


class Tree:
    """A directory of configuration files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, **files: str) -> None:
        """Write files; `/` in their names is `__`, a dot is `_dot_`. `LOGS` in them is the directory of logs."""
        for name, text in files.items():
            path = self.folder / name.replace("_dot_", ".").replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("LOGS", str(self.folder)))

    def logs(self, main: str = "", kind: Kind | None = None) -> dict[str, ServerLog]:
        """Return the logs by their paths below the directory."""
        found = Configuration(str(self.folder / main), kind).logs()
        return {one.path.removeprefix(f"{self.folder}/"): one for one in found}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A directory for configurations; no server is installed."""
    monkeypatch.setattr(installed, "_said", lambda programs, option: "")
    installed.nginx.cache_clear()
    installed.apache.cache_clear()
    return Tree(tmp_path)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let an installed server say this about itself."""

    def install(text: str) -> None:
        monkeypatch.setattr(installed, "_said", lambda programs, option: text)
        installed.nginx.cache_clear()
        installed.apache.cache_clear()

    return install
