"""Layouts of databases: the same place from each vendor's record, and nothing from a record of another kind."""

from __future__ import annotations

import pytest

from logagg.parse.geo.layouts import NETWORKS, NOWHERE, Layout, Place, as_number

NAMES = {"de": "Schweden", "en": "Sweden"}
# As the vendors document their records.
RECORDS: list[tuple[str, object, Place]] = [
    (
        "GeoLite2-City",
        {"city": {"names": {"de": "Link", "en": "Linköping"}}, "country": {"iso_code": "SE", "names": NAMES}},
        Place("SE", "Linköping"),
    ),
    (
        "GeoLite2-ASN",
        {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"},
        Place("", "", "AS64496", "Example"),
    ),
    (
        "GeoIP2-Enterprise",
        {
            "country": {"iso_code": "SE"},
            "traits": {
                "autonomous_system_number": 64496,
                "autonomous_system_organization": "Example",
                "user_type": "cellular",
            },
        },
        Place("SE", "", "AS64496", "Example", "isp"),
    ),
    ("GeoIP2-Anonymous-IP", {"is_hosting_provider": True}, Place(network="hosting")),
    ("DBIP-City-Lite", {"city": {"names": {"en": "Lund"}}, "country": {"iso_code": "SE"}}, Place("SE", "Lund")),
    (
        "ipinfo lite",
        {"asn": "AS64496", "as_name": "Example", "as_domain": "example.com", "country": "Sweden", "country_code": "SE"},
        Place("SE", "", "AS64496", "Example"),
    ),
    ("ipinfo country", {"country": "SE", "country_name": "Sweden"}, Place("SE")),
    (
        "ipinfo asn",
        {"asn": "AS64496", "name": "Example", "domain": "example.com", "type": "hosting"},
        Place("", "", "AS64496", "Example", "hosting"),
    ),
    ("ipinfo location", {"city": "Lund", "country": "SE"}, Place("SE", "Lund")),
    (
        "ipinfo privacy and more",
        {"asn": {"asn": "AS64496", "name": "Example", "type": "education"}},
        Place("", "", "AS64496", "Example", "education"),
    ),
    ("ip-location-db", {"country_code": "se"}, Place("SE")),
    ("iptoasn", {"as_number": 64496, "as_organization": "Example"}, Place("", "", "AS64496", "Example")),
]


@pytest.mark.parametrize(("record", "place"), [row[1:] for row in RECORDS], ids=[row[0] for row in RECORDS])
def test_layouts(record: object, place: Place) -> None:
    assert Layout.any().place(record) == Layout.of([record]).place(record) == place
    assert place.network in ("", *NETWORKS)


@pytest.mark.parametrize(
    "record", [None, "SE", 5, [], {}, {"country": {"iso_code": 5}}, {"country": ["SE"]}, {"asn": True}, {"city": {}}]
)
def test_records_of_another_kind(record: object) -> None:
    assert Layout.any().place(record) == NOWHERE
    assert not Layout.of([record]).fields


def test_the_country_may_stand_elsewhere() -> None:
    record = {"country": {"iso_code": "SE"}, "registered_country": {"iso_code": "DE"}, "where": "Lund"}
    assert Layout.of([record], ("registered_country", "iso_code")).place(record).country == "DE"
    assert Layout.any(("where",)).place(record).country == "Lund"
    assert Layout.of([record], ("country", "no")).place(record).country == ""


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (64496, "AS64496"),
        ("64496", "AS64496"),
        ("as064496", "AS64496"),
        ("AS64496 Example Ltd", "AS64496"),
        ("4294967295", "AS4294967295"),
        (0, ""),
        ("", ""),
        ("Example", ""),
        (True, ""),
        (1.5, ""),
        ("12345678901", ""),
    ],
)
def test_numbers(written: object, number: str) -> None:
    assert as_number(written) == number


def test_a_layout_has_the_places_that_its_records_use() -> None:
    records = [{"traits": {"user_type": "cellular"}}, {"country": {"iso_code": "SE"}}, {}]
    layout = Layout.of(records, also={"asn"})
    assert layout.fields == {"country", "network", "asn"}
    assert layout.place({"country_code": "DE", "asn": "AS1", "as_name": "Example"}) == Place("", "", "AS1")
