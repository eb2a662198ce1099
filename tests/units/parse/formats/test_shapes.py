"""The shapes of values: what they accept, and that the compiled scanner agrees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.parse.formats.format import Format, Step
from logagg.parse.formats.shapes import SHAPES, has_shape, kind_of
from logagg.parse.lines import scan

pytestmark = pytest.mark.unit

CLIENTS = [
    "192.0.2.7",
    "2001:db8::1",
    "::1",
    "::ffff:192.0.2.7",
    "fe80::1%eth0",
    "1:2:3:4:5:6:7:8",
    "[2001:db8::1]:443",
    "[2001:db8::1]",
    "192.0.2.7:50000",
    "unix:",
    "unix:/run/a.sock",
    "dialup-0.isp.example.net",
    "localhost",
    "host_name",
    "198.51.100.1, 10.0.0.2, 127.0.0.1",
    "198.51.100.1,10.0.0.2",
    "unknown, 10.0.0.2",
    "7c9e6679",
]
NO_CLIENTS = [
    "",
    "-",
    "198.51.100.1,",
    "www.example.com:80",
    "Nov 27",
    "12:00:37",
    "<134>Nov",
    "[pod/web-1/nginx]",
    "sid=0; lang=en",
    "2026-11-27T12:00:00.000Z",
    "a b",
    '"x"',
    "10.0.0.1:",
    "10.0.0.1:123456",
    "[::1",
    "[::1]x",
    "[1.2.3.4]",
    ":80",
]


@pytest.mark.parametrize("value", CLIENTS)
def test_a_client_is_an_address_or_a_name_or_a_list_of_them(value: str) -> None:
    assert has_shape(value.encode(), "client")


@pytest.mark.parametrize("value", NO_CLIENTS)
def test_anything_else_is_no_client(value: str) -> None:
    assert not has_shape(value.encode(), "client")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("203.0.113.9", "addresses"),
        ("203.0.113.9, 2001:db8::1", "addresses"),
        ("10.0.0.5:80", "sockets"),
        ("10.0.0.5:80, [::1]:8080", "sockets"),
        ("0.005", "decimals"),
        ("12.000123", "decimals"),
        ("0.001, 0.020 : -", "decimals"),
        ("-, -", "other"),
        ("0.05", "other"),
        ("45000", "other"),
        ("1795780800.123", "other"),
        ("HIT", "cache"),
        ("miss", "cache"),
        ("HITS", "other"),
        ("sid=0; lang=en", "other"),
        ("-", "dash"),
        ("", "dash"),
    ],
)
def test_a_value_behind_the_agent_is_of_one_kind(value: str, kind: str) -> None:
    assert kind_of(value.encode()) == kind


PIECES = st.sampled_from(
    [
        *'0123456789abcdefgxXZ.:-_[]%,; ~/=|<>"\x7f',
        "::",
        "unix:",
        ", ",
        " : ",
        "192.0.2.7",
        "0.005",
        "hit",
        "HIT",
        "\xe9",
        ":80",
        "]:8",
    ]
)


@given(
    st.lists(
        st.one_of(PIECES, st.sampled_from(CLIENTS + NO_CLIENTS + ["198.51.100.1 - -", "1.2.3.4 - ", "a - b"])),
        max_size=8,
    ).map("".join)
)
def test_the_scanner_knows_the_same_shapes(value: str) -> None:
    data = value.encode()
    assert scan.SHAPES == SHAPES
    for shape in SHAPES:
        fmt = Format("", b"", (Step("x", b"\n", shape=shape),))
        whole = np.frombuffer(data + b"\n", np.uint8)
        _, fits = scan.split_fields(whole, np.array([0]), np.array([len(whole)]), fmt)
        assert fits.tolist() == [has_shape(data, shape)], shape
