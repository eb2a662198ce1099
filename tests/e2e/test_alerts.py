"""Alerts with the installed command: on the history of the demo, beside a tail, killed at any moment."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command, combined, wait_until

# Writes what it is given into a database, so that its tests know what was delivered, and whether twice.
RECEIVER = """
import json, os, sqlite3, sys
told = json.load(sys.stdin)
with sqlite3.connect(sys.argv[1], timeout=30) as database:
    database.execute("CREATE TABLE IF NOT EXISTS told (key, status, text)")
    database.execute("INSERT INTO told VALUES (?, ?, ?)", (os.environ["IDEMPOTENCY_KEY"], told["status"], json.dumps(told)))
"""


class ListedAlert:
    """The notifications that a command has received."""

    def __init__(self, folder: Path) -> None:
        self.script, self.database = folder / "receiver.py", folder / "told.db"
        self.script.write_text(RECEIVER)

    @property
    def config(self) -> str:
        command = json.dumps([sys.executable, str(self.script), str(self.database)])
        return f'[notify.ops]\nkind = "exec"\ncommand = {command}\n'

    def all(self) -> list[tuple[str, str]]:
        if not self.database.exists():
            return []
        with sqlite3.connect(self.database, timeout=30) as database:
            try:
                return database.execute("SELECT key, status FROM told ORDER BY rowid").fetchall()
            except sqlite3.OperationalError:  # not made yet
                return []


@pytest.fixture
def told(tmp_path: Path) -> ListedAlert:
    return ListedAlert(tmp_path)


def test_the_history_of_the_demo(demo: Command) -> None:
    def fired(name: str, *more: str) -> list[tuple[str, str]]:
        found = json.loads(demo.run("alert", "test", name, "--json", *more).stdout)
        return [(one["at"], one["state"]) for one in found]

    assert fired("errors") == []
    (demo.folder / "logagg.toml").write_text(
        '[[alert]]\nname = "strict"\nrule = "errors"\nabove = 0.02\nclear = 0.01\nwindow = "1h"\nmin = "n >= 20"\nevery = "10m"\n'
    )
    changes = fired("strict")
    assert [state for _, state in changes][:2] == ["firing", "resolved"]
    assert changes == sorted(changes)
    assert fired("strict", "--since", changes[0][0][:10], "--until", changes[-1][0])


def test_a_lake_without_alerts_says_so(demo: Command) -> None:
    shown = demo.run("alert", "list", "--format", "table")
    assert shown.stderr.startswith("the configuration has no [[alert]]; ") and shown.stderr.count("\n") == 1
    assert json.loads(demo.run("alert", "list", "--json").stdout) == []


def tail(logagg: Command, log: Path, config: str) -> Any:
    (logagg.folder / "logagg.toml").write_text(config)
    return logagg.start("tail", log, "--flush", "0.1")


# Fires while there is any data at all, which its own time says at once.
ANY = '[[alert]]\nname = "any"\nquery = "SELECT site, sum(hits) AS value FROM traffic GROUP BY site"\nabove = 0\n'


def test_beside_a_tail(logagg: Command, told: ListedAlert) -> None:
    log = logagg.folder / "access.log"
    log.write_text(combined([("/", 200)] * 5))
    process = tail(logagg, log, ANY + told.config)
    wait_until(lambda: len(told.all()) == 1, process)
    assert [one["state"] for one in json.loads(logagg.run("alert", "list", "--json").stdout)] == ["firing"]
    assert "firing: any since" in logagg.run("status").stdout
    logagg.run("alert", "silence", "any", "--for", "1h", "--reason", "test")
    logagg.run("alert", "ack", "any", "--label", "site=-")
    [listed] = json.loads(logagg.run("alert", "list", "--json").stdout)
    assert listed["note"] == "silenced, acknowledged"
    [silence] = json.loads(logagg.run("alert", "silences", "--json").stdout)
    logagg.run("alert", "unsilence", silence["id"])
    assert "process" in logagg.run("alert", "run", "--once", status=1).stderr  # the tail does it
    (logagg.folder / "logagg.toml").write_text(told.config)
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: [status for _, status in told.all()] == ["firing", "resolved"], process)
    process.terminate()
    assert process.wait(30) == 0


def test_kills_at_any_moment(logagg: Command, told: ListedAlert) -> None:
    log = logagg.folder / "access.log"
    log.write_text(combined([("/", 200)] * 5))
    for _ in range(3):
        process = tail(logagg, log, ANY + told.config)
        wait_until(lambda: len(told.all()) >= 1, process)
        process.kill()
        process.wait()
    keys = [key for key, _ in told.all()]
    assert len(set(keys)) == 1
    assert len(keys) <= 2  # once, and once more if it was killed before it could note that


def test_after_once(logagg: Command, told: ListedAlert) -> None:
    log = logagg.folder / "access.log"
    log.write_text(combined([("/", 200)] * 5))
    (logagg.folder / "logagg.toml").write_text(ANY + told.config)
    logagg.run("tail", "--once", "--quiet", log)
    assert [status for _, status in told.all()] == ["firing"]


def test_a_wrong_query_stops_nothing(logagg: Command) -> None:
    log = logagg.folder / "access.log"
    log.write_text(combined([("/", 200)] * 5))
    process = tail(logagg, log, '[[alert]]\nname = "odd"\nquery = "SELECT nothing FROM traffic"\n')
    wait_until(lambda: "odd cannot be evaluated" in (logagg.folder / "tail.log").read_text(), process)
    with log.open("a") as file:
        file.write(combined([("/", 200)]))
    logagg.await_lines(6, process)
    [listed] = json.loads(logagg.run("alert", "list", "--json").stdout)
    assert listed["state"] == "failed"
    process.terminate()
    assert process.wait(30) == 0


def test_wrong_usage(demo: Command) -> None:
    assert "no such alert; there are errors, slow" in demo.run("alert", "test", "nonsense", status=1).stderr
    (demo.folder / "logagg.toml").write_text('[[alert]]\nname = "errors"\nmin = "hits >= 5"\n')
    assert (
        "min: the answer has no column hits; it has site, value, n"
        in demo.run("alert", "test", "errors", status=1).stderr
    )
    (demo.folder / "logagg.toml").unlink()
    assert "a rule without a past" in demo.run("alert", "test", "disk", status=1).stderr
    assert "no such alert" in demo.run("alert", "silence", "nonsense", "--for", "1h", status=1).stderr
    assert "nothing of it fires" in demo.run("alert", "ack", "errors", status=1).stderr
    assert "write NAME=VALUE" in demo.run("alert", "ack", "errors", "--label", "x", status=2).stderr
