"""Addresses of clients: cut to a prefix before anything is derived from them, and removed from samples of rejects.

Whole columns of distinct values at a time. A masked address is bytes, used by the visitor hash alone and never stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.slices import Column
from logagg.records import SAMPLE_BYTES, Rejects

Groups = npt.NDArray[np.uint16]  # eight a row

# How a proxy may write an address: in brackets, with a port, with a zone, IPv4 within IPv6.
_DRESSED = (
    (r"\A\[([^\]]*)\](?::[0-9]+)?\z", r"\1"),
    (r"\A([0-9.]+):[0-9]+\z", r"\1"),
    (r"%.*\z", ""),
    (r"(?i)\A(?:0*:)*:?(?:0+:)*ffff:([0-9]+\.[0-9.]+)\z", r"\1"),
)
_IS_DRESSED = r"(?i)\A\[|\A[0-9.]+:[0-9]+\z|%|ffff:[0-9]+\."
_MARKS = b"[:%"  # one of which is in each such address
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"\A(?P<a>{_OCTET})\.(?P<b>{_OCTET})\.(?P<c>{_OCTET})\.(?P<d>{_OCTET})\z"
_MAPPED = (0, 0, 0, 0, 0, 0xFFFF)  # before an IPv4 address
_GROUP = "[0-9A-Fa-f]{1,4}"
_IPV6 = rf"\A(?:{_GROUP}(?::{_GROUP}){{0,6}})?::(?:{_GROUP}(?::{_GROUP}){{0,6}})?\z|\A{_GROUP}(?::{_GROUP}){{7}}\z"

# Within other text: dotted numbers, and hexadecimal with `::` or with seven colons; times have neither.
_ADDRESSES = (
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}",
    r"(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*)?::(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*)?",
    r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){7}",
)
_CUT = r"[0-9A-Fa-f.:]+\z"  # possibly the beginning of an address
_MASKED = "(address)"

# The value of a hexadecimal digit.
_HEX = np.zeros(256, np.uint8)
for _value, _digits in enumerate(zip(b"0123456789abcdef", b"0123456789ABCDEF", strict=True)):
    _HEX[list(_digits)] = _value


@dataclass(frozen=True, slots=True)
class Prefix:
    """How many bits of an address are kept."""

    ipv4: int = 32
    ipv6: int = 128

    @property
    def whole(self) -> bool:
        return self == Prefix()

    def keep(self, addresses: pa.Array) -> pa.Array:
        """Return each address (text) cut to its prefix, as bytes; other text, such as a name, becomes empty."""
        addresses = undressed(addresses)
        short = pc.extract_regex(addresses, _IPV4)
        long = pc.and_(pc.match_substring_regex(addresses, _IPV6), pc.less_equal(pc.count_substring(addresses, ":"), 8))
        kept = pa.array(np.full(len(addresses), b"", object), pa.binary())
        kept = _put(kept, short.is_valid(), _octets(short.drop_null()), self.ipv4)
        groups = _groups(addresses.filter(long))
        octets = groups.byteswap().view(np.uint8)
        kept = _put(kept, long, octets, self.ipv6)
        mapped = (groups[:, :6] == _MAPPED).all(axis=1)
        return _put(kept, _spread(long, mapped), octets[mapped, 12:], self.ipv4)


def undressed(addresses: pa.Array) -> pa.Array:
    """Return addresses (text) without brackets, port and zone, and IPv4 by itself; other text stays as it is."""
    if not Column.of(addresses).has_any(_MARKS):
        return addresses
    dressed = pc.match_substring_regex(addresses, _IS_DRESSED)
    if not pc.any(dressed).as_py():
        return addresses
    plain = addresses.filter(dressed)
    for pattern, bare in _DRESSED:
        plain = pc.replace_substring_regex(plain, pattern, bare)
    return pc.replace_with_mask(addresses, dressed, plain)


def without_addresses(rejects: Rejects) -> Rejects:
    """Return rejects with addresses removed from their samples."""
    if not rejects.samples:
        return rejects
    lines = pa.array([sample.line for sample in rejects.samples], pa.binary())
    cut = pc.greater_equal(pc.binary_length(lines), SAMPLE_BYTES)
    lines = pc.if_else(cut, pc.replace_substring_regex(lines, _CUT, ""), lines)
    for pattern in _ADDRESSES:
        lines = pc.replace_substring_regex(lines, pattern, _MASKED)
    samples = zip(rejects.samples, lines.to_pylist(), strict=True)
    return replace(rejects, samples=tuple(replace(sample, line=line) for sample, line in samples))


def _put(values: pa.Array, mask: pa.Array, rows: npt.NDArray[np.uint8], bits: int) -> pa.Array:
    """Put addresses, `rows` of bytes cut to their first bits, where the mask holds."""
    width = rows.shape[1]
    kept = np.clip(bits - 8 * np.arange(width), 0, 8)
    cut = rows & (0xFF00 >> kept & 0xFF).astype(np.uint8)
    offsets = np.arange(0, len(cut) * width + 1, width, dtype=np.int32)
    array = pa.Array.from_buffers(pa.binary(), len(cut), [None, pa.py_buffer(offsets), pa.py_buffer(cut.tobytes())])
    return pc.replace_with_mask(values, mask, array)


def _spread(mask: pa.Array, chosen: npt.NDArray[np.bool_]) -> pa.Array:
    """Restrict a mask: `chosen` says which of its true rows remain."""
    spread = np.array(mask.to_numpy(zero_copy_only=False))
    spread[spread] = chosen
    return pa.array(spread)


def _octets(found: pa.StructArray) -> npt.NDArray[np.uint8]:
    """Return the four numbers of each IPv4 address, given the named groups of its match."""
    columns = [pc.struct_field(found, name).cast(pa.uint8()).to_numpy() for name in "abcd"]
    return np.stack(columns, axis=1)


def _groups(addresses: pa.Array) -> Groups:
    """Return the eight groups of each IPv6 address."""
    halves = pc.split_pattern(addresses, "::", max_splits=1)
    groups = np.zeros((len(addresses), 8), np.uint16)
    _fill(groups, pc.list_element(halves, 0), from_left=True)
    doubled = pc.greater(pc.list_value_length(halves), 1)
    right = pc.if_else(doubled, pc.list_element(_padded(halves, doubled), 1), "")
    _fill(groups, right, from_left=False)
    return groups


def _padded(halves: pa.ListArray, doubled: pa.BooleanArray) -> pa.Array:
    """Return lists padded to at least two elements."""
    return pc.if_else(doubled, halves, pa.scalar(["", ""], halves.type))


def _fill(groups: Groups, texts: pa.Array, *, from_left: bool) -> None:
    """Write the groups of texts such as `2001:db8` into their places, counted from the left or from the right."""
    parts = pc.split_pattern(texts, ":")
    counts = pc.list_value_length(parts).to_numpy()
    rows = np.repeat(np.arange(len(texts)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    places = np.arange(len(rows)) - first
    flat = pc.list_flatten(parts)
    present = np.asarray(pc.not_equal(flat, "").to_numpy(zero_copy_only=False))
    places = places if from_left else places + 8 - np.repeat(counts, counts)
    groups[rows[present], places[present]] = _numbers(flat.filter(pa.array(present)))


def _numbers(texts: pa.Array) -> Groups:
    """Read hexadecimal numbers of up to four digits."""
    column = Column.of(texts)
    numbers = np.zeros(len(texts), np.uint16)
    lengths = np.diff(column.offsets)
    for place in range(4):
        some = lengths > place
        numbers[some] = numbers[some] * 16 + _HEX[column.data[column.offsets[:-1][some] + place]]
    return numbers
