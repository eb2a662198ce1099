"""Databases of addresses under a tail: refused at the start if they cannot be read, and never an obstacle after it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command, combined, wait_until

MMDB = ROOT / "fixtures/mmdb"


@pytest.fixture
def database(logagg: Command) -> Path:
    path = logagg.folder / "places.mmdb"
    shutil.copy(MMDB / "GeoLite2-Country-Test.mmdb", path)
    (logagg.folder / "logagg.toml").write_text('[geo]\ndatabase = ["places.mmdb"]\n')
    return path


def replace(path: Path, by: Path | str) -> None:
    new = path.with_suffix(".new")
    shutil.copy(by, new) if isinstance(by, Path) else new.write_text(by)
    os.replace(new, path)


def test_a_database_changes_under_a_tail(logagg: Command, database: Path) -> None:
    log, said = logagg.folder / "access.log", logagg.folder / "tail.log"

    def ask(lines: int) -> None:
        with log.open("a") as file:
            file.write(combined([("/", 200)], client="89.160.20.112"))
        logagg.await_lines(lines, tail)

    log.touch()
    tail = logagg.start("tail", log)
    try:
        ask(1)
        replace(database, "no database")
        wait_until(lambda: "places.mmdb: it is not a whole database" in said.read_text(), tail)
        ask(2)  # by what it had read
        replace(database, MMDB / "GeoLite2-ASN-Test.mmdb")
        wait_until(lambda: "places.mmdb: read again (GeoLite2-ASN)" in said.read_text(), tail)
        ask(3)
        database.write_text("overwritten in place")
        wait_until(lambda: "its columns stay empty" in said.read_text(), tail)
        ask(4)
    finally:
        tail.terminate()
        assert tail.wait(60) == 0
    assert said.read_text().count("\n") == 3
    found = logagg.read("SELECT country, asn, network FROM requests ORDER BY position")
    assert found[:3] == [("SE", None, None), ("SE", None, None), (None, "AS29518", "isp")]
    assert not any(found[3])


def test_a_database_that_cannot_be_read_is_refused(logagg: Command, database: Path) -> None:
    log = logagg.folder / "access.log"
    log.write_text(combined([("/", 200)]))
    output = logagg.run("check", log).stdout
    assert "places.mmdb: GeoLite2-Country of 2026-02-04, with country\n" in output
    database.unlink()
    for command in (("tail", "--once", log), ("check", log)):
        done = logagg.run(*command, status=1)
        [line] = [line for line in (done.stderr + done.stdout).splitlines() if "places.mmdb" in line]
        assert "geo.database: " in line and "places.mmdb: No such file or directory" in line
