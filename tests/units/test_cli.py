"""The command line: its commands and options, and one line for each failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from logagg.cli import COMMANDS, HELP, logagg, main
from logagg.commands.serve import LISTEN
from logagg.commands.tail import tail

SHARED = {"--lake", "--config", "-q", "-v", "--help"}
OPTIONS = {
    "tail": {"--once", "--from", "--log-format", "--flush", "--shards", "--memory"},
    "sql": {"--format", "--json", "--output", "--formula-guard"},
    "report": {"--format", "--json", "--since", "--until", "--output", "--html", "--compare", "--formula-guard"},
    "status": {"--json"},
    "lines": {"--format", "--json", "--formula-guard"},
    "init": {"--force"},
}


@pytest.mark.parametrize("command", OPTIONS)
def test_commands_have_the_options_of_the_contract(command: str) -> None:
    shown = CliRunner().invoke(logagg, [command, "--help"])
    assert shown.exit_code == 0
    missing = [option for option in OPTIONS[command] | SHARED if option not in shown.output]
    assert not missing


def test_every_command_is_listed() -> None:
    shown = CliRunner().invoke(logagg, ["--help"]).output
    assert list(HELP) == list(COMMANDS)
    assert all(name in shown for name in COMMANDS)


def test_the_command_line_imports_nothing_heavy() -> None:
    code = "import logagg.cli, sys; print([m for m in ('pandas', 'pyarrow', 'watchdog', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_tail_reads_before_it_imports_the_libraries_for_writing() -> None:
    heavy = ("pandas", "duckdb", "pyarrow.parquet", "watchdog", "rich", "prometheus_client")
    code = f"import logagg.tail.local, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["report", "--lake", "nowhere"], 1, "no lake there"),
        (["sql", "--lake", "nowhere", "SELECT 1"], 1, "no lake there"),
        (["status", "--lake", "nowhere"], 1, "no lake there"),
        (["nothing"], 2, "no such command"),
        (["tail"], 2, "name logs as PATH"),
        (["tail", "--memory", "lots", "x"], 2, "write a size"),
        (["tail", "--flush", "0", "x"], 2, "above zero"),
    ],
)
def test_a_failure_is_one_line_and_a_status(
    arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    shown = capsys.readouterr().err
    assert left.value.code == status
    assert message in shown and "Traceback" not in shown


def test_init_writes_a_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "logagg.toml")
    for arguments, status in ((["init"], 0), (["init"], 1), (["init", "--force"], 0)):
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--config", file])
        assert left.value.code == status
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "address", "paths"),
    [
        ("--serve logs", LISTEN, ("logs",)),
        ("--serve /var/log/nginx more", LISTEN, ("/var/log/nginx", "more")),
        ("logs --serve", LISTEN, ("logs",)),
        ("--serve -q logs", LISTEN, ("logs",)),
        ("--serve :9000 logs", ":9000", ("logs",)),
        ("--serve 9000 logs", "9000", ("logs",)),
        ("--serve [::1]:9000 logs", "[::1]:9000", ("logs",)),
        ("--serve unix:/run/logagg/page logs", "unix:/run/logagg/page", ("logs",)),
        ("--serve=localhost:9000 logs", "localhost:9000", ("logs",)),
        ("--serve localhost:http logs", "localhost:http", ("logs",)),  # which is refused, with what an address is
        ("-- --serve logs", None, ("--serve", "logs")),
    ],
)
def test_a_path_may_follow_serve(arguments: str, address: str | None, paths: tuple[str, ...]) -> None:
    parsed = tail.make_context("tail", arguments.split()).params
    assert (parsed["serve"], parsed["paths"]) == (address, paths)
