"""What packages hold beside the program: manual pages and completion."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from logagg.cli import COMMANDS
from tests.conftest import LOGAGG, ROOT, Command


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, ROOT / "scripts/man_pages.py", folder], check=True)
    return folder


def test_every_command_has_a_manual_page(pages: Path, tool: Callable[[str], str]) -> None:
    assert {one.name for one in pages.iterdir()} == {"logagg.1", *(f"logagg-{name}.1" for name in COMMANDS)}
    done = subprocess.run(
        [tool("mandoc"), "-T", "lint", "-W", "warning", *pages.iterdir()], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    shown = subprocess.run(["mandoc", "-T", "utf8", pages / "logagg-tail.1"], capture_output=True, text=True).stdout
    plain = re.sub(".\b", "", shown)
    for wanted in ("logagg tail", "--log-format NAME|STRING", "EXIT STATUS", "SIGTERM and SIGINT: flush, commit"):
        assert wanted in plain


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str, demo: Command) -> None:
    environment = demo.env | {"_LOGAGG_COMPLETE": f"{shell}_source"}
    script = subprocess.run([LOGAGG], env=environment, capture_output=True, text=True, check=True).stdout
    assert "_LOGAGG_COMPLETE" in script and "logagg" in script
    words = {"COMP_WORDS": "logagg report pa", "COMP_CWORD": "pa" if shell == "fish" else "2"}
    environment = demo.env | words | {"_LOGAGG_COMPLETE": f"{shell}_complete"}
    found = subprocess.run([LOGAGG], env=environment, capture_output=True, text=True, check=True).stdout
    assert "pages" in re.split(r"[\s,]", found)
