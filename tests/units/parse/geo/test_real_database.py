"""A database of the whole world (CC0, a development package of web/): flat records, all of IPv4 and IPv6."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest

from logagg.parse.geo.places import GeoSettings, Places
from tests.conftest import ROOT

PATH = ROOT / "web/node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"

pytestmark = pytest.mark.skipif(not PATH.exists() and not os.environ.get("CI"), reason="npm ci in web/ installs it")


def test_countries() -> None:
    known = {
        "8.8.8.8": "US",
        "2001:4860:4860::8888": "US",
        "::ffff:8.8.8.8": "US",
        "::FFFF:808:808": "US",
        "0:0:0:0:0:ffff:808:808": "US",
        "193.0.6.139": "NL",
        "2001:67c:2e8:22::c100:68b": "NL",
        "130.89.0.1": "NL",
        "10.0.0.1": "",
        "fd00::1": "",
        "::1": "",
        "240.0.0.1": "",
    }
    places = Places(GeoSettings((str(PATH),)))
    places.require()
    assert places.databases[0].fields == {"country"}
    found = places.describe(pa.array(known))
    assert dict(zip(known, found["country"].to_pylist(), strict=True)) == known and found.keys() == {"country"}
