"""The compact protocol of Thrift, in which the headers and the footer of a Parquet file are written.

A value is the number of its type and its bytes. The protocol: https://github.com/apache/thrift, doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Value = tuple[int, bytes]

_TRUE, _FALSE, _BYTE, _I32, _I64, _BINARY, _LIST, _STRUCT = 1, 2, 3, 5, 6, 8, 9, 12
_LAST = 0x7F  # a number of one byte
_BYTES = [bytes([one]) for one in range(256)]
_LONG = 15  # a list of that many elements, or more, has its length behind its first byte


def flag(value: bool) -> Value:
    return (_TRUE if value else _FALSE), b""


def i8(value: int) -> Value:
    return _BYTE, value.to_bytes(1, "little", signed=True)


def i32(value: int) -> Value:
    return _I32, _zigzag(value)


def i64(value: int) -> Value:
    return _I64, _zigzag(value)


def binary(value: bytes) -> Value:
    return _BINARY, varint(len(value)) + value


def listed(values: Sequence[Value]) -> Value:
    """Return a list of values of one type; of none, a list of structs."""
    count, type_ = len(values), values[0][0] if values else _STRUCT
    head = bytes([count << 4 | type_]) if count < _LONG else bytes([_LONG << 4 | type_]) + varint(count)
    return _LIST, head + b"".join(payload for _, payload in values)


def struct(fields: Mapping[int, Value]) -> Value:
    """Return a struct of fields by their numbers, which ascend by at most 15."""
    out, before = list[bytes](), 0
    for number, (type_, payload) in fields.items():
        out += (_BYTES[(number - before) << 4 | type_], payload)
        before = number
    return _STRUCT, b"".join(out) + b"\0"


def varint(value: int) -> bytes:
    """Return a number of at least 0 in groups of seven bits, the lowest first."""
    if value <= _LAST:
        return _BYTES[value]
    out = bytearray()
    while value > _LAST:
        out.append(value & _LAST | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)
