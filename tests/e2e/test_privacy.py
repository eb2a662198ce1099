"""The personal data in a lake, by the settings of `[privacy]`."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Command, combined

DAYS = ("01/Mar/2026", "02/Mar/2026", "03/Mar/2026")


def lake_of(logagg: Command, folder: Path, settings: str, lines: str) -> None:
    (folder / "access.log").write_text(lines)
    (folder / "logagg.toml").write_text(f"[privacy]\n{settings}\n")
    logagg.run("tail", "--once", "-q", "access.log")


def people(logagg: Command) -> int:
    return int(logagg.sql("SELECT uniques(visitors) AS people FROM traffic")[0]["people"])


def clients(*addresses: str) -> str:
    return "".join(combined([("/", 200)], client) for client in addresses)


def of_days() -> str:
    line = combined([("/", 200)])
    return "".join(line.replace("02/Mar/2026", day) for day in DAYS)


def holds(root: Path, *texts: bytes) -> bool:
    return any(text in path.read_bytes() for path in root.rglob("*") if path.is_file() for text in texts)


def test_neighbours_become_one_visitor(logagg: Command, tmp_path: Path) -> None:
    lines = clients("192.0.2.1", "192.0.2.99", "198.51.100.1", "2001:db8:1::1", "2001:db8:1:9::1", "2001:db8:2::1")
    lake_of(logagg, tmp_path, "ipv4 = 24\nipv6 = 48", lines)
    assert people(logagg) == 4


def test_by_default_neighbours_are_distinct(logagg: Command, tmp_path: Path) -> None:
    lake_of(logagg, tmp_path, "", clients("192.0.2.1", "192.0.2.99"))
    assert people(logagg) == 2


def test_every_visitor_is_new_every_day(logagg: Command, tmp_path: Path) -> None:
    lake_of(logagg, tmp_path, 'rotate = "1d"', of_days() * 2)
    assert people(logagg) == 3
    # A later run on the same day uses the same salts.
    with (tmp_path / "access.log").open("a") as log:
        log.write(of_days())
    logagg.run("tail", "--once", "-q", "access.log")
    assert people(logagg) == 3 and logagg.lines() == 9


def test_no_address_is_in_the_lake(logagg: Command, tmp_path: Path) -> None:
    broken = "\n192.0.2.77 is no line of ours 2001:db8::beef\n"
    lake_of(logagg, tmp_path, "", clients("192.0.2.78", "2001:db8::cafe") + broken)
    assert logagg.sql("SELECT line FROM reject_samples") == [{"line": "(address) is no line of ours (address)"}]
    assert not holds(logagg.lake, b"192.0.2.7", b"2001:db8")


def test_samples_with_addresses_and_no_samples(logagg: Command, tmp_path: Path) -> None:
    lake_of(logagg, tmp_path, "addresses_in_samples = true", clients("192.0.2.78") + "192.0.2.77 rubbish\n")
    assert logagg.sql("SELECT line FROM reject_samples") == [{"line": "192.0.2.77 rubbish"}]
    lake_of(logagg, tmp_path, "samples = 0", clients("192.0.2.78") + "192.0.2.77 rubbish\nmore\n")
    assert logagg.sql("SELECT count(*) AS samples FROM reject_samples") == [{"samples": 0}]
    assert logagg.sql("SELECT sum(lines) AS lines FROM rejects") == [{"lines": 2}]
