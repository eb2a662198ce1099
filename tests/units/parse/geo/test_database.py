"""Databases: which files can be used, what they know, and what happens when a file changes under them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from logagg.parse.geo.database import Database
from logagg.parse.geo.layouts import NOWHERE, Place
from tests.conftest import ROOT

MMDB = ROOT / "fixtures/mmdb"
CITY, COUNTRY, ASN = (MMDB / f"GeoLite2-{kind}-Test.mmdb" for kind in ("City", "Country", "ASN"))
SWEDEN, AMERICA = "89.160.20.112", "216.160.83.56"


def known(database: Database, address: str = SWEDEN) -> Place:
    return database.get(address)[0]


def opened(path: Path, *country: str) -> Database:
    database = Database(str(path), country)
    assert database.refresh() and not database.refresh()
    return database


def test_what_the_databases_of_maxmind_know() -> None:
    city, country, asn = map(opened, (CITY, COUNTRY, ASN))
    assert [set(one.fields) for one in (city, country, asn)] == [
        {"country", "city"},
        {"country"},
        {"asn", "organization"},
    ]
    assert (country.kind, country.built) == ("GeoLite2-Country", "2026-02-04")
    assert known(city, SWEDEN) == ("SE", "Linköping", "", "", "")
    assert known(country, SWEDEN) == ("SE", "", "", "", "")
    assert known(asn, SWEDEN) == ("", "", "AS29518", "Bredband2 AB", "")
    anonymous = opened(MMDB / "GeoIP2-Anonymous-IP-Test.mmdb")
    assert anonymous.fields == {"network"}
    assert (known(anonymous, "71.160.223.5").network, known(anonymous, SWEDEN).network) == ("hosting", "")
    enterprise = opened(MMDB / "GeoIP2-Enterprise-Test.mmdb")
    assert enterprise.fields == {"country", "city", "asn", "organization", "network"}
    assert known(enterprise, "1.124.213.1")[::4] == ("IR", "isp")


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("2.125.160.217", "GB"),
        ("2001:480::1", "US"),
        ("::ffff:2.125.160.217", "GB"),
        ("::ffff:27d:a0d9", "GB"),
        ("10.0.0.1", ""),
        ("127.0.0.1", ""),
        ("fe80::1", ""),
        ("::", ""),
        ("1.1.1.1", ""),
        ("no address", ""),
        ("", ""),
        ("2.125.160.999", ""),
        ("2.125.160.217:80", ""),
        ("\x00", ""),
        ("9" * 1000, ""),
    ],
)
def test_addresses(address: str, country: str) -> None:
    assert known(opened(COUNTRY), address).country == country


def test_the_country_by_its_field() -> None:
    assert known(opened(COUNTRY, "registered_country", "iso_code"), "2.125.160.217").country == "FR"


def unusable(path: Path) -> str:
    database = opened(path)
    assert not database.is_usable and known(database, SWEDEN) == NOWHERE
    return database.problem


def test_files_that_are_no_databases(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database")
    (tmp_path / "empty").touch()
    (tmp_path / "cut").write_bytes(CITY.read_bytes()[:-5000])
    (tmp_path / "start").write_bytes(CITY.read_bytes()[5000:])
    os.mkfifo(tmp_path / "pipe")
    no_database = "it is not a whole database in MaxMind's format (mmdb)"
    assert [unusable(tmp_path / name) for name in ("text", "empty", "cut")] == [no_database] * 3
    assert [unusable(tmp_path / name) for name in ("pipe", "")] == ["it is not a file"] * 2
    assert unusable(tmp_path / "none") == "No such file or directory"
    assert unusable(tmp_path / "start") in (no_database, "it is damaged")
    assert unusable(MMDB / "MaxMind-DB-string-value-entries.mmdb").startswith("it has no countries and no networks")


def test_damaged_databases() -> None:
    assert unusable(MMDB / "GeoIP2-City-Test-Broken-Double-Format.mmdb") == "it is damaged"
    assert unusable(MMDB / "libmaxminddb-corrupt-search-tree.mmdb")
    assert unusable(MMDB / "MaxMind-DB-test-ipv4-24.mmdb").startswith("it has no countries")


def replaced(path: Path, by: Path) -> None:
    shutil.copy(by, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def test_a_new_file_is_read(tmp_path: Path) -> None:
    database = opened(Path(shutil.copy(COUNTRY, tmp_path / "db")))
    replaced(tmp_path / "db", ASN)
    assert known(database, SWEDEN).country == "SE"  # nothing looks before `refresh`
    assert database.refresh() and not database.refresh()
    assert (known(database, SWEDEN).country, known(database, SWEDEN).asn) == ("", "AS29518")


def test_a_broken_or_missing_new_file_leaves_the_old_one(tmp_path: Path) -> None:
    database = opened(Path(shutil.copy(COUNTRY, path := tmp_path / "db")))
    (tmp_path / "broken").write_bytes(COUNTRY.read_bytes()[:9000])
    replaced(path, tmp_path / "broken")
    assert database.refresh() and database.problem and database.is_usable
    assert known(database, SWEDEN).country == "SE"
    path.unlink()
    assert database.refresh() and database.problem == "No such file or directory"
    assert known(database, SWEDEN).country == "SE"
    replaced(path, COUNTRY)
    assert database.refresh() and not database.problem


def test_a_file_that_is_overwritten_in_place(tmp_path: Path) -> None:
    """Its mapped pages are gone: to read them would end the process."""
    database = opened(Path(shutil.copy(COUNTRY, path := tmp_path / "db")))
    path.write_bytes(ASN.read_bytes()[:100])
    assert database.refresh() and not database.is_usable
    assert known(database, SWEDEN) == NOWHERE
    path.write_bytes(ASN.read_bytes())
    assert database.refresh() and known(database, SWEDEN).asn == "AS29518"
