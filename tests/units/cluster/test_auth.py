"""Any change to a message, at any place, makes its MAC wrong; and no message is valid as another kind, for another lake or request."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logagg.cluster import protocol
from logagg.cluster.auth import Keys
from logagg.cluster.protocol import NO_OWNER, PositionsRequest, Reply, Wired
from logagg.errors import AuthError, WireError
from logagg.parse.schemas import EVENT_SCHEMA
from tests.units.cluster.messages import REPLIES, REQUESTS, job_messages

SECRET, NONCE, OWNER = b"s" * 32, b"n" * 16, b"o" * 16
KEYS = Keys(SECRET)
MESSAGES = st.one_of(job_messages(), REQUESTS, REPLIES)


def signed(message: Wired) -> bytes:
    return KEYS.sign(protocol.pack(message), NONCE, OWNER)


@given(MESSAGES)
@pytest.mark.slow
def test_a_signed_message_is_read_unchanged(message: Wired) -> None:
    data = signed(message)
    envelope = KEYS.check(data)
    assert (envelope.nonce, envelope.owner) == (NONCE, OWNER)
    plain = protocol.opened(protocol.pack(message))
    assert (envelope.kind, envelope.size, envelope.text, envelope.stream) == (
        plain.kind,
        plain.size,
        plain.text,
        plain.stream,
    )
    assert protocol.pack(protocol.unpack(data, EVENT_SCHEMA)) == protocol.pack(
        protocol.unpack(protocol.pack(message), EVENT_SCHEMA)
    )


@given(MESSAGES, st.data())
@pytest.mark.slow
def test_any_flipped_bit_is_detected(message: Wired, data: st.DataObject) -> None:
    flipped = bytearray(signed(message))
    bit = data.draw(st.integers(0, 8 * len(flipped) - 1))
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        KEYS.check(bytes(flipped))


@pytest.mark.parametrize(
    "message", [PositionsRequest("web1", 3, 0, begins=True, run="r", count=2), Reply("superseded", 2, OWNER.hex())]
)
def test_every_single_bit_of_a_message_is_covered(message: Wired) -> None:
    data = signed(message)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WireError):
            KEYS.check(bytes(flipped))


@given(MESSAGES, st.data())
@pytest.mark.slow
def test_missing_and_appended_bytes_are_detected(message: Wired, data: st.DataObject) -> None:
    whole = signed(message)
    at = data.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:at], whole + data.draw(st.binary(min_size=1, max_size=9)), whole[:at] + b"\0" + whole[at:]):
        with pytest.raises(WireError):
            KEYS.check(wrong)


@given(MESSAGES, st.binary(min_size=1, max_size=100))
@example(PositionsRequest("web1", 1, 0), b"")
@pytest.mark.slow
def test_a_mac_by_another_secret_is_refused(message: Wired, secret: bytes) -> None:
    if secret != SECRET:
        with pytest.raises(AuthError):
            KEYS.check(Keys(secret).sign(protocol.pack(message), NONCE, OWNER))


@given(MESSAGES)
@pytest.mark.slow
def test_a_message_without_a_mac_is_refused(message: Wired) -> None:
    with pytest.raises(AuthError, match="without the MAC of the lake's secret"):
        KEYS.check(protocol.pack(message))


@pytest.mark.parametrize("kind", [b"J", b"Q", b"A"])
@pytest.mark.parametrize("other", [b"J", b"Q", b"A"])
def test_no_kind_is_valid_as_another(kind: bytes, other: bytes) -> None:
    """Each kind has its own key, besides the byte that names the kind."""
    data = signed(PositionsRequest("web1", 1, 0))
    as_kind = KEYS.sign(data[:7] + kind + data[8:], NONCE, OWNER)
    changed = as_kind[:7] + other + as_kind[8:]
    if kind == other:
        assert KEYS.check(changed).kind == kind
    else:
        with pytest.raises(AuthError):
            KEYS.check(changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:40] + b"m" * 16 + data[56:],
        lambda data: data[:56] + NO_OWNER + data[72:],
        lambda data: data[:76] + bytes(4) + data[80:] if any(data[76:80]) else data[:76] + b"\0\0\0\1" + data[80:],
    ],
    ids=["nonce", "owner", "size"],
)
def test_the_mac_covers_the_rest_of_the_frame(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(AuthError):
        KEYS.check(change(signed(PositionsRequest("web1", 1, 0))))


def test_the_secret_is_not_in_a_message() -> None:
    assert SECRET[:8] not in signed(PositionsRequest("web1", 1, 0))
