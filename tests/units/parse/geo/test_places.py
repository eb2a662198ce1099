"""Places of whole columns: several databases as one, a bounded memory, changes that are reported."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from logagg.config.sections import Config, Geo
from logagg.errors import ConfigError
from logagg.parse.geo.places import GeoSettings, Places, changes
from tests.units.parse.geo.test_database import AMERICA, ASN, CITY, COUNTRY, SWEDEN, replaced


def places(*paths: Path, city: bool = False, limit: int = 100) -> Places:
    return Places(GeoSettings(tuple(map(str, paths)), city), limit)


def described(found: Places, *addresses: str) -> dict[str, list[str]]:
    return {name: values.to_pylist() for name, values in found.describe(pa.array(addresses, pa.string())).items()}


def test_the_first_database_that_knows_a_field_decides() -> None:
    both = {"country": ["SE", "US", ""], "asn": ["AS29518", "AS209", ""], "organization": ["Bredband2 AB", "", ""]}
    for order in ((ASN, COUNTRY), (COUNTRY, ASN), (COUNTRY, ASN, CITY)):
        assert described(places(*order), SWEDEN, AMERICA, "") == both
    cities = {"city": ["Linköping", "Milton", ""]}
    assert described(places(COUNTRY, ASN, CITY, city=True), SWEDEN, AMERICA, "") == both | cities


def test_cities_only_on_request() -> None:
    assert described(places(CITY), SWEDEN) == {"country": ["SE"]}
    assert described(places(CITY)) == {"country": []}


def test_memory_is_bounded() -> None:
    found = places(COUNTRY, limit=3)
    for number in range(20):
        assert described(found, SWEDEN, f"192.0.{number}.7") == {"country": ["SE", ""]}
        assert len(found._known) + len(found._networks) <= 3


def test_what_is_remembered_goes_with_its_file(tmp_path: Path) -> None:
    found = places(Path(shutil.copy(COUNTRY, path := tmp_path / "db")))
    assert described(found, SWEDEN) == {"country": ["SE"]}
    replaced(path, ASN)
    assert described(found, SWEDEN) == {"asn": ["AS29518"], "organization": ["Bredband2 AB"]}


def test_a_change_is_told_once_whoever_finds_it(tmp_path: Path) -> None:
    settings = GeoSettings((str(shutil.copy(COUNTRY, path := tmp_path / "db")),))
    found = Places(settings)
    found.require()
    assert found.changed() == []
    replaced(path, ASN)
    described(found, SWEDEN)
    assert found.changed() == found.databases and found.changed() == []


def test_notices(tmp_path: Path) -> None:
    settings = GeoSettings.of(Config(geo=Geo(database=(str(shutil.copy(COUNTRY, path := tmp_path / "db")),))))
    assert list(changes(settings)) == [] and list(changes(None)) == []
    replaced(path, Path(shutil.copy(__file__, tmp_path / "text")))
    [notice] = changes(settings)
    assert notice.text == (
        f"{path}: it is not a whole database in MaxMind's format (mmdb); until it can be read, the content read before is used"
    )
    replaced(path, COUNTRY)
    [notice] = changes(settings)
    assert notice.text == f"{path}: read again (GeoLite2-Country)"
    assert list(changes(settings)) == []


def test_a_database_that_was_never_readable_is_refused(tmp_path: Path) -> None:
    config = Config(geo=Geo(database=(str(COUNTRY), "none.mmdb")), path=tmp_path / "logagg.toml")
    with pytest.raises(ConfigError, match="geo.database: .*none.mmdb: No such file or directory"):
        GeoSettings.of(config)
    shutil.copy(ASN, tmp_path / "none.mmdb")  # relative to the configuration
    settings = GeoSettings.of(config)
    assert settings and settings.paths[1] == str(tmp_path / "none.mmdb")
    assert pickle.loads(pickle.dumps(settings)) == settings
    os.remove(tmp_path / "none.mmdb")
    assert GeoSettings.of(config) == settings  # it was readable
    assert GeoSettings.of(Config()) is None


def test_a_network_is_remembered_only_where_it_has_one_place() -> None:
    found = places(COUNTRY)
    assert described(found, "81.2.69.142", "81.2.69.1") == {"country": ["GB", ""]}  # a network of 31 bits
    assert described(found, "216.160.83.56", "216.160.83.1") == {"country": ["US", ""]}
    for odd in ("175.16.199.999", "175.16.199.", "175.16.199", "175.16.199.01", "175.16.199.\u0663", "175.16.199.1x"):
        fresh = described(places(CITY), odd)
        assert described(places(CITY), "175.16.199.1", odd)["country"] == ["CN", *fresh["country"]], odd
