"""What a command does not use is not imported: it would cost time at each start, and memory as long as a tail runs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.conftest import ROOT, Command

# What each command may import besides Python's own modules.
ALWAYS = {"click", "logagg"}
LAKE = {*ALWAYS, "duckdb", "_duckdb", "numpy", "pyarrow", "tzdata", "zstandard"}
TAIL = {*LAKE, "watchdog", "maxminddb", "crawleruseragents", "ua_parser", "ua_parser_rs", "rich", "tzlocal"}
TAIL |= {"dateutil"}  # which pyarrow takes for zones
MAY_IMPORT = {
    ("--help",): ALWAYS,
    ("--version",): ALWAYS,
    ("tail", "--help"): ALWAYS,
    ("report", "--help"): ALWAYS,
    ("serve", "--help"): ALWAYS,
    ("tail", "--once", "--quiet", "access.log"): TAIL,
    ("sql", "--json", "SELECT 1"): LAKE,
    ("report", "pages", "--format", "csv"): {*ALWAYS, "duckdb", "_duckdb", "numpy", "tzlocal", "tzdata"},
    ("report", "pages"): {*ALWAYS, "duckdb", "_duckdb", "numpy", "tzlocal", "tzdata", "rich"},
}
RUN = """
import sys
before = set(sys.modules)
from logagg.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", MAY_IMPORT, ids=" ".join)
def test_what_a_command_imports(arguments: tuple[str, ...], logagg: Command) -> None:
    (logagg.folder / "access.log").write_bytes((ROOT / "fixtures/demo/access.log").read_bytes()[:20_000])
    if arguments[0] in ("sql", "report") and "--help" not in arguments:
        logagg.run("tail", "--once", "--quiet", "access.log")
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=logagg.folder, env=logagg.env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ours = {"logagg", *packages_distributions()}
    imported = {name for name in done.stderr.splitlines()[-1].split() if name in ours}
    assert imported <= MAY_IMPORT[arguments], imported - MAY_IMPORT[arguments]
