"""The client of a request: the other end of the connection, or the address that trusted proxies name. Once per distinct
value.

A proxy appends the address of its client to `X-Forwarded-For`, so a list is read from the right: the word of a trusted
proxy is believed up to the first address that is not a trusted proxy itself, and all to the left of it may be invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import spread
from logagg.columnar.encoded import EncodedText
from logagg.columnar.slices import Column, Mask
from logagg.parse.events.addresses import Prefix, undressed

_FORWARDED = r'(?i)[^,]*\bfor="?([^;,"]*)"?[^,]*'  # an item of the header `Forwarded`


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies whose word is taken."""

    networks: tuple[str, ...] = ()
    all: bool = False  # believe the first address of a list, which any client can write

    def clients(self, connected: EncodedText, forwarded: EncodedText) -> EncodedText:
        """Return the client of each row, from the connected address, which may be a list itself, and the forwarded
        ones."""
        connected = connected.map(self._alone)
        if Column.of(connected.values).lengths.any() and not (self.networks or self.all):
            return connected
        named = forwarded.map(self._of_lists)
        believed = connected.equal("") | spread(self._are_believed(connected.values), connected.codes)
        codes = np.where(believed & ~named.equal(""), named.codes + np.int32(len(connected.values)), connected.codes)
        return EncodedText(codes.astype(np.int32), pa.concat_arrays([connected.values, named.values]))

    def _alone(self, clients: pa.Array) -> pa.Array:
        """Return clients without ports and brackets, and one of each list."""
        if Column.of(clients).has_any(b","):
            lists = pc.match_substring(clients, ",")
            clients = pc.replace_with_mask(clients, lists, self._of_lists(clients.filter(lists)))
        return undressed(clients)

    def _are_believed(self, clients: pa.Array) -> Mask:
        """Return a mask of those whose word is taken: a socket of this machine has no address."""
        local = pc.starts_with(clients, "unix:").to_numpy(zero_copy_only=False)
        return local | self._are_trusted(Prefix().keep(clients)) if self.networks else np.ones(len(clients), bool)

    def _are_trusted(self, addresses: pa.Array) -> Mask:
        """Return a mask of the addresses, as bytes, that are in one of the networks."""
        column = Column.of(addresses)
        trusted = np.zeros(len(addresses), bool)
        for network in map(ip_network, self.networks):
            rows = np.flatnonzero(column.lengths == len(network.network_address.packed))
            trusted[rows] |= _are_in(column, rows, network)
        return trusted

    def _of_lists(self, lists: pa.Array) -> pa.Array:
        """Return the client of each list; empty if there is none."""
        if pc.any(pc.match_substring(lists, "for=", ignore_case=True)).as_py():
            lists = pc.replace_substring_regex(lists, _FORWARDED, r"\1")
        parts = pc.split_pattern(lists, ",")
        items, list_of = (
            undressed(pc.utf8_trim(pc.list_flatten(parts), " \t")),
            pc.list_parent_indices(parts).to_numpy(),
        )
        addresses = Prefix().keep(items)
        chosen = self._chosen(list_of, Column.of(addresses).lengths > 0, self._are_trusted(addresses), len(lists))
        return (
            pc.if_else(pa.array(chosen >= 0), items.take(pa.array(np.maximum(chosen, 0))), "") if len(items) else lists
        )

    def _chosen(self, list_of: npt.NDArray[np.int64], valid: Mask, trusted: Mask, lists: int) -> npt.NDArray[np.int64]:
        """Return which item of each list is the client; -1: none."""
        first = np.full(lists, -1, np.int64)
        items = np.flatnonzero(valid)
        first[list_of[items[::-1]]] = items[::-1]  # of several items the last assignment counts
        if not self.networks:
            return first
        untrusted = np.full(lists, -1, np.int64)
        items = np.flatnonzero(~trusted)
        untrusted[list_of[items]] = items
        known = np.where(np.append(valid, False)[untrusted], untrusted, -1)
        return np.where(untrusted >= 0, known, first)


def _are_in(column: Column, rows: npt.NDArray[np.int64], network: IPv4Network | IPv6Network) -> Mask:
    """Tell which addresses, all of the network's kind, are in it."""
    width = len(network.network_address.packed)
    places = column.offsets[rows][:, None] + np.arange(width)
    mask, base = (np.frombuffer(one.packed, np.uint8) for one in (network.netmask, network.network_address))
    return ((column.data[places] & mask) == base).all(axis=1) if len(rows) else np.zeros(0, bool)
