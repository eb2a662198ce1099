"""Countries and networks do not depend on how a log is cut into chunks, nor on what was looked up before."""

from __future__ import annotations

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.config.sections import Config, Geo, Robots
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.geo.layouts import FIELDS
from logagg.parse.geo.places import GeoSettings, Places
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint
from tests.conftest import ROOT
from tests.laws.any_log import NOW

MMDB = ROOT / "fixtures/mmdb"
PATHS = tuple(str(MMDB / f"GeoLite2-{kind}-Test.mmdb") for kind in ("City", "Country", "ASN"))
CLASSIFIER = Classifier.of(Config(geo=Geo(database=PATHS, city=True), robots=Robots(hosting=True)), bytes(16))
LOGGED = compile_format(
    '$remote_addr [$time_local] "$request" $status $geoip_country_code $geoip2_asn "$http_user_agent"'
)
ADDRESSES = st.one_of(
    st.sampled_from(
        ["89.160.20.112", "216.160.83.56", "::ffff:81.2.69.142", "[2001:480::1]:443", "1.0.0.1", "10.1.2.3"]
    ),
    st.ip_addresses().map(str),
    st.ip_addresses(v=4).map(lambda address: f"{address}:4711"),
    st.from_regex(r"[a-z][a-z0-9-]{0,9}[a-z](\.[a-z]{2,5})?", fullmatch=True),  # a name, as HostnameLookups logs it
)
COUNTRIES, NUMBERS = st.sampled_from(["-", "XX", "se", "DE", "T1"]), st.sampled_from(["-", "24940", "AS3320", "x", "0"])
AGENTS = st.sampled_from(["Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "curl/8", "-"])
LINES = st.lists(st.tuples(ADDRESSES, COUNTRIES, NUMBERS, AGENTS), min_size=1, max_size=30)


def events(lines: list[tuple[str, str, str, str]]) -> pa.Table:
    text = "".join(
        f'{client} [02/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 {country} {number} "{agent}"\n'
        for client, country, number, agent in lines
    )
    data = text.encode()
    batch = fast.parse(Chunk("s", 0, 0, len(data), data, Fingerprint(len(data), 0, "")), LOGGED, NOW)
    return CLASSIFIER.classify(batch.table)


def told(table: pa.Table) -> list[dict[str, object]]:
    return table.select([*FIELDS, "is_bot", "bot_reason", "visitor"]).to_pylist()


@pytest.mark.thorough
@given(lines=LINES, cut=st.integers(0, 30))
def test_any_cut_gives_the_same(lines: list[tuple[str, str, str, str]], cut: int) -> None:
    whole = told(events(lines))
    assert len(whole) == len(lines)
    assert [*told(events(lines[:cut])), *told(events(lines[cut:]))] == whole
    for (_, country, number, agent), row in zip(lines, whole, strict=True):
        if country in ("DE", "T1"):
            assert row["country"] == country  # what the server logged counts
        if number == "24940":
            assert (row["asn"], row["network"], row["is_bot"]) == ("AS24940", "hosting", True)
            assert row["bot_reason"] == {"curl/8": "name", "-": "no agent"}.get(agent, "network")


@given(addresses=st.lists(st.ip_addresses() | st.ip_addresses(v=4, network="89.160.20.0/24"), max_size=20))
def test_places_are_those_of_the_database_itself(addresses: list[ipaddress.IPv4Address]) -> None:
    import maxminddb

    found = Places(GeoSettings(PATHS[1:2]), limit=5).describe(pa.array(map(str, addresses), pa.string()))
    with maxminddb.open_database(PATHS[1]) as database:
        records = [database.get(address) for address in addresses]
    countries = [record.get("country", {}).get("iso_code", "") if record else "" for record in records]  # type: ignore[union-attr]
    assert found["country"].to_pylist() == countries
