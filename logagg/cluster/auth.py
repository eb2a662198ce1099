"""A MAC in each message, by a key that is derived from the lake's secret.

It covers the whole message: header, events, nonce, and the token of the owner that the message is for
(`cluster.protocol`). Each kind of message has its own key, so one kind cannot pass for another. Neither the secret nor
the keys are sent.

HMAC-SHA256 reaches 1.7 GB/s on a core with SHA instructions; BLAKE2b reached 0.9.
"""

from __future__ import annotations

import hmac

from logagg.cluster import protocol
from logagg.cluster.protocol import MAC, REST, Envelope
from logagg.errors import AuthError
from logagg.quantities import counted


class Keys:
    """The keys of one lake."""

    def __init__(self, secret: bytes) -> None:
        self._keys = {kind: hmac.digest(secret, b"logagg message " + kind, "sha256") for kind in protocol.KINDS}

    def sign(self, data: bytes, nonce: bytes, owner: bytes = protocol.NO_OWNER) -> bytes:
        """Return a packed message with nonce, token and MAC."""
        start, rest = data[: MAC.start], memoryview(data)[REST:]
        mac = self._mac(start, nonce + owner, rest)
        return b"".join((start, mac, nonce, owner, rest))

    def check(self, data: bytes) -> Envelope:
        """Check the MAC of a message; return its envelope. Raises WireError; AuthError if it may be forged."""
        envelope = protocol.opened(data)
        whole = memoryview(data)
        if not hmac.compare_digest(self._mac(data[: MAC.start], whole[MAC.stop : REST], whole[REST:]), whole[MAC]):
            raise AuthError(f"a message of {counted(len(data), 'byte')} without the MAC of the lake's secret")
        return envelope

    def _mac(self, start: bytes, *rest: bytes | memoryview) -> bytes:
        mac = hmac.new(self._keys[start[MAC.start - 1 :]], start, "sha256")
        for one in rest:
            mac.update(one)
        return mac.digest()
