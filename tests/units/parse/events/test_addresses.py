"""Addresses are cut to a prefix, and removed from samples."""

from __future__ import annotations

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.parse.events.addresses import Prefix, without_addresses
from logagg.records import SAMPLE_BYTES, Reject, Rejects


def kept(*addresses: str, ipv4: int = 24, ipv6: int = 48) -> list[bytes]:
    found: list[bytes] = Prefix(ipv4, ipv6).keep(pa.array(addresses, pa.string())).to_pylist()
    return found


def expected(address: str, bits: int) -> bytes:
    return ipaddress.ip_network(f"{address}/{bits}", strict=False).network_address.packed


@pytest.mark.parametrize(
    ("written", "cut"),
    [
        ("192.0.2.77", "192.0.2.0"),
        ("192.0.2.77:4711", "192.0.2.0"),
        ("::ffff:192.0.2.77", "192.0.2.0"),
        ("0:0:0:0:0:FFFF:192.0.2.77", "192.0.2.0"),
        ("[::ffff:192.0.2.77]:80", "192.0.2.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("2001:DB8:1::6", "2001:db8:1::"),
        ("[2001:db8:1::6]:443", "2001:db8:1::"),
        ("fe80::1%eth0", "fe80::"),
        ("::", "::"),
        ("::1", "::"),
        ("1::", "1::"),
    ],
)
def test_addresses_as_servers_and_proxies_write_them(written: str, cut: str) -> None:
    assert kept(written) == [ipaddress.ip_address(cut).packed]


@pytest.mark.parametrize(
    "text", ["", "host.example.com", "1.2.3", "256.1.1.1", "1:2:3", ":::", "1::2::3", "12345::", "unix:", "-"]
)
def test_values_that_are_not_addresses_do_not_distinguish_visitors(text: str) -> None:
    assert kept(text) == [b""]


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@pytest.mark.slow
@given(st.lists(st.ip_addresses(), max_size=9), st.integers(0, 32), st.integers(0, 128))
def test_prefixes_equal_those_of_the_standard_library(addresses: list[Address], ipv4: int, ipv6: int) -> None:
    mapped = [isinstance(one, ipaddress.IPv6Address) and one.ipv4_mapped or one for one in addresses]
    wanted = [expected(str(one), ipv4 if one.version == 4 else ipv6) for one in mapped]
    assert kept(*map(str, addresses), ipv4=ipv4, ipv6=ipv6) == wanted


@given(st.text(max_size=60))
def test_any_text_is_accepted(text: str) -> None:
    assert len(kept(text)[0]) in (0, 4, 16)


def sample(line: bytes) -> bytes:
    return without_addresses(Rejects({"format": 1}, (Reject(0, "format", line),))).samples[0].line


def test_a_sample_has_no_address() -> None:
    line = b'192.0.2.77 - 2001:db8::7 [02/Mar/2026:10:11:12 +0000] "GET / HTTP/1.1" x 2001:db8:1:2:3:4:5:6 ::1'
    assert sample(line) == b'(address) - (address) [02/Mar/2026:10:11:12 +0000] "GET / HTTP/1.1" x (address) (address)'


def test_a_sample_that_was_cut_has_no_beginning_of_an_address() -> None:
    line = b"x" * (SAMPLE_BYTES - 9) + b" 192.0.2."
    assert sample(line) == b"x" * (SAMPLE_BYTES - 9) + b" "


@given(st.binary(max_size=40), st.ip_addresses(v=4))
def test_an_address_among_any_bytes_is_removed(around: bytes, address: ipaddress.IPv4Address) -> None:
    assert str(address).encode() not in sample(around + b" " + str(address).encode() + b" " + around)
