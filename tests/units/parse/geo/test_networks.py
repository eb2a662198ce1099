"""Classes of networks."""

from __future__ import annotations

import pyarrow as pa
import pytest

from logagg.parse.geo import networks
from logagg.parse.geo.layouts import NETWORKS


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Hetzner Online GmbH", ""),  # its number is listed
        ("Example Hosting Ltd", "hosting"),
        ("WEBHOST-AS", "hosting"),
        ("Example Cloud Services", "hosting"),
        ("Data Centre Nord", "hosting"),
        ("Deutsche Telekom AG", "isp"),
        ("Comcast Cable Communications, LLC", "isp"),
        ("Telefónica de España", "isp"),
        ("Universidad de Chile", "education"),
        ("Massachusetts Institute of Technology", "education"),
        ("Ministry of Health", "government"),
        ("Example GmbH", ""),
        ("", ""),
    ],
)
def test_names(name: str, kind: str) -> None:
    assert networks.of_names(pa.array([name])).to_pylist() == [kind]


def test_numbers() -> None:
    asked = pa.array(["AS24940", "AS7922", "AS64496", ""])
    assert networks.of_numbers(asked).to_pylist() == ["hosting", "isp", "", ""]
    assert set(networks._listed().values()) <= set(NETWORKS)
    assert networks.of_numbers(asked[:0]).to_pylist() == []
