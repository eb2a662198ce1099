"""Asks the workers of a cluster for the state of their shards: takes the lake's secret, and changes nothing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence, Set

from logagg.clock import Clock
from logagg.cluster import protocol
from logagg.cluster.auth import Keys
from logagg.cluster.gearman import Server
from logagg.cluster.protocol import NO_OWNER, TOKEN, OwnerRequest, Reply, Request, StatusRequest
from logagg.cluster.sender import REQUESTS
from logagg.cluster.transport import Sender, SendResult
from logagg.errors import WireError
from logagg.notices import ignore
from logagg.parse.schemas import EVENT_SCHEMA

WAIT = 5.0  # seconds for the shards to answer


class StatusQueries:
    """Asks shards for their state.

    A shard is first asked for a token: it answers a StatusRequest with that token, and each token once.
    """

    def __init__(self, servers: Sequence[Server], clock: Clock, keys: Keys) -> None:
        self._sender = Sender(servers, clock, ignore)
        self._clock, self._keys = clock, keys
        self._answers: dict[int, Reply] = {}
        self._tokens: dict[int, bytes] = {}
        self._on_way: set[int] = set()

    def run(self, wanted: Set[int]) -> dict[int, Reply]:
        """Return the answers of some shards; those without one after some seconds are missing."""
        end = self._clock.monotonic() + WAIT
        self._sender.connect()
        while self._clock.monotonic() < end and len(self._answers) < len(wanted):
            for shard in wanted - self._on_way - set(self._answers):
                self._ask(shard)
            for outcome in self._sender.poll(0.1):
                self._hear(outcome)
        self._sender.close()
        return self._answers

    def _ask(self, shard: int) -> None:
        token, nonce = self._tokens.get(shard, NO_OWNER), secrets.token_bytes(TOKEN)
        asks_owner = token == NO_OWNER
        request: Request = OwnerRequest("", shard, for_status=True) if asks_owner else StatusRequest(shard)
        data = self._keys.sign(protocol.pack(request), nonce, token)
        if self._sender.send((shard, nonce, asks_owner), shard, f"{REQUESTS}{shard}", nonce.hex(), data, WAIT):
            self._on_way.add(shard)

    def _hear(self, outcome: SendResult) -> None:
        shard, nonce, asked_owner = outcome.of
        self._on_way.discard(shard)
        if (answer := self._read(outcome.data, nonce)) is None:
            return
        if asked_owner or answer.outcome == "moved":
            self._tokens[shard] = bytes.fromhex(answer.owner) or NO_OWNER
        elif "" in answer.reports:
            self._answers[shard] = answer

    def _read(self, data: bytes | None, nonce: bytes) -> Reply | None:
        try:
            envelope = self._keys.check(data or b"")
            answer = protocol.read(envelope, EVENT_SCHEMA)
        except WireError:
            return None
        return answer if isinstance(answer, Reply) and envelope.nonce == nonce else None
