"""Who the client of a request is."""

import numpy as np
import pyarrow as pa
import pytest

from logagg.columnar.encoded import EncodedText
from logagg.parse.events.clients import Proxies

pytestmark = pytest.mark.unit

OURS = Proxies(("10.0.0.0/8", "2001:db8:aa::/48", "127.0.0.1/32"))


def of(*values: str) -> EncodedText:
    return EncodedText.of(pa.chunked_array([pa.array(values, pa.string()).dictionary_encode()])).filled()


def client(proxies: Proxies, connected: str, forwarded: str = "") -> str:
    # Values of other lines are in the same columns.
    found = proxies.clients(of("192.0.2.99", connected), of("", forwarded))
    return str(found.array().to_pylist()[1])


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("198.51.100.1:50000", "198.51.100.1"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("198.51.100.1, 10.0.0.2, 127.0.0.1", "198.51.100.1"),
        ("dialup-0.isp.example.net", "dialup-0.isp.example.net"),
        ("unix:", "unix:"),
    ],
)
def test_an_address_is_undressed(written: str, plain: str) -> None:
    assert client(Proxies(), written) == plain


@pytest.mark.parametrize(
    ("connected", "forwarded", "found"),
    [
        ("10.0.0.7", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.7:4711", "203.0.113.5:40000", "203.0.113.5"),
        ("10.0.0.7", "198.51.100.66, 203.0.113.5, 10.0.0.9", "203.0.113.5"),  # the first one is invented
        ("10.0.0.7", "203.0.113.5,10.0.0.9", "203.0.113.5"),
        ("10.0.0.7", "10.0.0.8, 10.0.0.9", "10.0.0.8"),  # all are ours: the one that began
        ("2001:db8:aa::1", "2001:DB8:bb::5", "2001:DB8:bb::5"),
        ("unix:", "203.0.113.5", "203.0.113.5"),
        ("203.0.113.99", "198.51.100.66", "203.0.113.99"),  # the header of an untrusted client
        ("10.0.0.7", "", "10.0.0.7"),
        ("10.0.0.7", "sid=0; lang=en", "10.0.0.7"),
        ("10.0.0.7", "203.0.113.5, unknown", "10.0.0.7"),  # who is said to have asked is not known
        ("10.0.0.7", 'for=203.0.113.5;proto=https;by="[2001:db8::1]", for="10.0.0.9:4711"', "203.0.113.5"),
        ("10.0.0.7", 'for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ("203.0.113.5, 10.0.0.9", "", "203.0.113.5"),
    ],
)
def test_trusted_proxies_name_the_client(connected: str, forwarded: str, found: str) -> None:
    assert client(OURS, connected, forwarded) == found


def test_without_trust_nobody_is_believed() -> None:
    assert client(Proxies(), "10.0.0.7", "203.0.113.5") == "10.0.0.7"


@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        ("203.0.113.5, 10.0.0.9", "203.0.113.5"),
        ("-", "10.0.0.7"),
        ("sid=1; lang=en", "10.0.0.7"),
        ("unknown", "10.0.0.7"),
    ],
)
def test_all_are_believed_if_that_is_asked_for(forwarded: str, found: str) -> None:
    assert client(Proxies(all=True), "10.0.0.7", forwarded) == found


def test_a_format_that_names_only_a_list_has_a_client() -> None:
    found = Proxies().clients(of("", ""), of("203.0.113.5, 10.0.0.9", "203.0.113.6"))
    assert found.array().to_pylist() == ["203.0.113.5", "203.0.113.6"]
    assert OURS.clients(of("", ""), of("6.6.6.6, 203.0.113.5, 10.0.0.9", "")).array().to_pylist() == ["203.0.113.5", ""]


def test_nothing_is_no_client() -> None:
    empty = EncodedText(np.zeros(0, np.int32), pa.array([], pa.string()))
    assert OURS.clients(empty, empty).array().to_pylist() == []
