"""What packages hold beside the program: manual pages and completion."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
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


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered(shell: str, demo: Command) -> None:
    script = asked(demo, shell, "source")
    assert "_LOGAGG_COMPLETE" in script and "logagg" in script
    found = asked(demo, shell, "complete", COMP_WORDS="logagg report pa", COMP_CWORD="pa" if shell == "fish" else "2")
    assert "pages" in re.split(r"[\s,]", found)


def asked(demo: Command, shell: str, what: str, **words: str) -> str:
    environment = demo.env | words | {"_LOGAGG_COMPLETE": f"{shell}_{what}"}
    return subprocess.run([LOGAGG], env=environment, capture_output=True, text=True, check=True).stdout


def test_bash_completes_at_the_prompt(demo: Command) -> None:
    environment = demo.env | {"PATH": f"{LOGAGG.parent}:/usr/bin:/bin", "TERM": "dumb", "INPUTRC": "/dev/null"}
    arguments: dict[str, Any] = {"env": environment, "cwd": demo.folder, "encoding": "utf8", "dimensions": (40, 200)}
    with pexpect.spawn("bash", ["--norc", "--noprofile"], timeout=60, **arguments) as shell:
        shell.sendline('eval "$(_LOGAGG_COMPLETE=bash_source logagg)"; echo rea""dy')
        shell.expect_exact("ready")
        for typed, completed in (
            ("logagg report pa", "logagg report pages"),
            ("logagg report --lake la", "logagg report --lake lake"),
            ('logagg lines --where "status = 404 AND positi', "status = 404 AND position"),
            ("logagg sql 'SELECT placem", "'SELECT placement"),
        ):
            shell.send(f"{typed}\t")
            shell.expect_exact(completed)
            shell.sendcontrol("u")  # not c, with which the terminal would drop what is typed next
