"""Text that clients send stays text: no SQL, no terminal escape, no formula, no path; and other users cannot read the lake."""

from __future__ import annotations

import csv
import io
import os
import pty
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Command, combined

SQL = "'; DROP TABLE traffic; --"
QUOTES = "a\"b'c;d--e)/*"
# C0, DEL, C1, overrides of direction, zero width, a line separator.
CONTROLS = "\x1b]0;owned\x07\x1b[2J\x08\x7f\x9b31m\u202e\u2066\u2069\u200b\u200f\u2028\ufeff"
ALLOWED_CONTROLS = {"\n"}


def is_harmless(text: str) -> bool:
    return all(one.isprintable() or one in ALLOWED_CONTROLS for one in text)


def target(text: str) -> str:
    """Percent-encode every byte, as a browser would; logagg decodes the query."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.fixture
def hostile(logagg: Command, tmp_path: Path) -> Command:
    """A lake of hostile requests, raw and encoded, in a log with a hostile name."""
    log = tmp_path / f"access {CONTROLS.replace('/', '')}\n{SQL.replace('/', '')}.log"
    agent = f"Mozilla/5.0 (X11; {CONTROLS})"
    raw = CONTROLS.replace("\u2028", "")
    lines = combined(
        [(f"/{raw}", 404), (f"/imp?campaign={target(CONTROLS)}&ad={target(SQL)}", 200), ("/ok", 200)], agent=agent
    )
    lines += combined([("/page", 200)]).replace('"-" "Mozilla', f'"https://{raw}.example.com/" "Mozilla')
    log.write_bytes(lines.encode() + f"rejected {CONTROLS}\n".encode())
    logagg.run("tail", "--once", "-q", log)
    return logagg


COMMANDS = (
    *(("report", name) for name in ("overview", "pages", "ads", "referrers", "agents", "errors", "sources")),
    ("report", "ads", "--format", "json"),
    ("status",),
    ("status", "--json"),
    ("check",),
    ("sql", "FROM reject_samples"),
    ("sql", "FROM sources"),
    ("sql", "--json", "FROM pages"),
    ("sql", "SELECT campaign, ad FROM ads"),
)


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_no_escape_reaches_a_terminal(hostile: Command, argv: tuple[str, ...]) -> None:
    done = hostile.run(*argv, status=None)
    assert done.stdout
    assert is_harmless(done.stdout) and is_harmless(done.stderr)


def test_no_escape_reaches_a_terminal_in_an_error(hostile: Command) -> None:
    done = hostile.run("sql", "SELECT campaign::INTEGER FROM ads WHERE campaign <> ''", status=1)
    assert "Conversion" in done.stderr and is_harmless(done.stderr)


def test_no_escape_reaches_a_terminal_from_a_tail(logagg: Command, tmp_path: Path) -> None:
    """The output has only the status line's own cursor movements."""
    log = tmp_path / f"strange{CONTROLS.replace('/', '')}.access.log"
    log.write_text(CONTROLS.replace("\u2028", "") + "\nno log\n")
    leader, follower = pty.openpty()
    process = subprocess.Popen(logagg.argv("tail", "--once", log), env=logagg.env, stdout=follower, stderr=follower)
    os.close(follower)
    output = b""
    try:
        while block := os.read(leader, 4096):
            output += block
    except OSError:  # Linux reports so that the other end is closed
        pass
    process.wait(60)
    os.close(leader)
    text = output.decode()
    assert "strange" in text
    assert not any(piece in text for piece in ("\x1b]", "\x1b[2J", "\x9b", "\u202e", "\u2066", "\u200b", "\x08"))


def test_a_guarded_spreadsheet_runs_nothing(logagg: Command, tmp_path: Path) -> None:
    formulas = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "=cmd|' /C calc'!A0"]
    (tmp_path / "access.log").write_text(combined([(f"/imp?campaign={target(one)}", 200) for one in formulas]))
    logagg.run("tail", "--once", "-q", "access.log")
    for argv in (
        ("sql", "--format", "csv", "SELECT campaign, -1 AS n FROM ads"),
        ("report", "ads", "--format", "csv"),
    ):
        plain = logagg.run(*argv).stdout
        assert {one for one in formulas if not one.startswith("\r")} <= cells_of(plain)
        cells = cells_of(logagg.run(*argv, "--formula-guard").stdout)
        assert {one for one in cells if one[:1] in ("=", "+", "@", "\t", "\r")} == set()
        assert {f"'{one}" for one in formulas if not one.startswith("\r")} <= cells
    assert "-1" in logagg.run("sql", "--formula-guard", "--format", "csv", "SELECT -1 AS n").stdout.splitlines()


def cells_of(text: str) -> set[str]:
    return {cell for row in csv.reader(io.StringIO(text)) for cell in row}


def test_sql_in_names_is_not_executed(tmp_path: Path) -> None:
    """In the lake's directory, in a log's name, in paths, sites and campaigns."""
    folder = tmp_path / QUOTES.replace("/", "")
    folder.mkdir()
    logagg = Command(folder / f"lake{SQL}", folder)
    log = folder / f"{QUOTES.replace('/', '')}{SQL}\n.access.log"
    lines = combined(
        [(f"/{QUOTES}{SQL}".replace('"', "%22").replace(" ", "+"), 200), (f"/click?campaign={target(SQL)}", 302)]
    )
    log.write_text(lines)
    logagg.run("tail", "--once", "-q", log)
    logagg.run("compact", "-q")
    logagg.run("check")
    assert logagg.sql("SELECT campaign, clicks FROM ads") == [{"campaign": SQL, "clicks": 1}]
    assert logagg.sql("SELECT sum(hits) AS hits FROM traffic") == [{"hits": 2}]
    assert logagg.sql("SELECT DISTINCT path FROM sources") == [{"path": str(log)}]
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_and_the_group_may_read_the_lake(logagg: Command, tmp_path: Path, umask: int) -> None:
    (tmp_path / "access.log").write_text(combined([("/", 200)]))
    (tmp_path / "logagg.toml").write_text('[privacy]\nrotate = "1d"\n')
    argv = shlex.join(logagg.argv("tail", "--once", "-q", "access.log"))
    subprocess.run(["sh", "-c", f"umask {umask:03o}; exec {argv}"], env=logagg.env, cwd=tmp_path, check=True)
    modes = {
        path.relative_to(tmp_path): stat.S_IMODE(path.lstat().st_mode)
        for path in (logagg.lake, *logagg.lake.rglob("*"))
    }
    for path, mode in modes.items():
        if (tmp_path / path).is_symlink():
            continue
        secret = path.name in ("secret", "salts")
        wanted = 0o600 if secret else (0o750 if (tmp_path / path).is_dir() else 0o640) & ~umask
        assert mode == wanted, f"{path}: {mode:o}"


def elsewhere(logagg: Command, tmp_path: Path) -> Path:
    """Make a lake, and a directory of another user."""
    (tmp_path / "access.log").write_text(combined([("/", 200)]))
    logagg.run("tail", "--once", "-q", "access.log")
    with (tmp_path / "access.log").open("a") as log:
        log.write(combined([("/more", 200)]))
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "victim.duckdb").write_text("of somebody else")
    return other


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ["data", "data/pages", "catalog", "lock", "logagg.duckdb"])
def test_a_link_in_the_lake_is_not_followed(logagg: Command, tmp_path: Path, name: str) -> None:
    other = elsewhere(logagg, tmp_path)
    place = logagg.lake / name
    place.rename(tmp_path / "moved")
    place.symlink_to(other if (tmp_path / "moved").is_dir() else other / "victim.duckdb")
    if name == "catalog":  # with the expected content, so that only the link is wrong
        for path in (tmp_path / "moved").iterdir():
            (other / path.name).write_bytes(path.read_bytes())
    before = contents(other)
    done = logagg.run("tail", "--once", "-q", "access.log", status=1)
    assert len(done.stderr.splitlines()) == 1
    assert contents(other) == before
    place.unlink()
    (tmp_path / "moved").rename(place)
    logagg.run("tail", "--once", "-q", "access.log")
    assert logagg.lines() == 2


def test_a_name_of_any_bytes(logagg: Command, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / os.fsdecode(b"caf\xe9 \xff\n.access.log")
    log.write_text(combined([("/", 200)]) + "rubbish\n")
    for _ in range(2):
        logagg.run("tail", "--once", "-q", folder)
    with log.open("a") as file:
        file.write(combined([("/more", 200)]))
    logagg.run("tail", "--once", "-q", folder)
    assert logagg.lines() == 3
    assert logagg.sql("SELECT DISTINCT path FROM rejects") == [{"path": f"{folder}/caf\\xe9 \\xff\n.access.log"}]
