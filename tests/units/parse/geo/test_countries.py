"""Countries as servers log them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from logagg.parse.geo.countries import _named, codes


@pytest.mark.parametrize(
    ("logged", "code"),
    [
        ("SE", "SE"),
        ("se", "SE"),
        ("T1", "T1"),
        ("XX", ""),
        ("--", ""),
        ("", ""),
        ("Sweden", "SE"),
        ("united states", "US"),
        ("United Kingdom", "GB"),
        ("Korea, Republic of", "KR"),
        ("Bosnia and Herzegovina", "BA"),
        ("Saint Lucia", "LC"),
        ("St. Lucia", "LC"),
        ("Åland Islands", "AX"),
        ("Côte d'Ivoire", "CI"),
        ("Atlantis", "Atlantis"),
        ("SWE", "SWE"),
        ("\U0001f1f8\U0001f1ea", "\U0001f1f8\U0001f1ea"),
    ],
)
def test_codes(logged: str, code: str) -> None:
    assert codes(pa.array([logged, "DE"])).to_pylist() == [code, "DE"]


def test_every_country_has_a_name() -> None:
    assert len(set(_named().values())) >= 249
    assert codes(pa.array([], pa.string())).to_pylist() == []
