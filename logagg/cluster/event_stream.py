"""The events of a job <-> an Arrow IPC stream, compressed with zstd as a whole and checked before a shard counts them."""

from __future__ import annotations

import struct

import pyarrow as pa

from logagg.codec import stream_of
from logagg.columnar.encoded import without_unused
from logagg.errors import TooLarge, WireError
from logagg.quantities import counted

_EARLIEST, _LATEST = 0.0, 1e10  # seconds since the epoch that an event may have


def pack(events: pa.Table) -> tuple[bytes, int]:
    """Return events as an Arrow stream, compressed with zstd, and their uncompressed size.

    The stream is compressed as a whole, not buffer by buffer as Arrow can, so that the receiver checks the size first.
    """
    if not events.num_rows:
        return b"", 0
    columns = [_as_one_array(column) for column in events.columns]
    plain = stream_of(pa.Table.from_arrays(columns, schema=events.schema))
    return pa.Codec("zstd").compress(plain, asbytes=True), plain.size


def _as_one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, without the dictionary entries of other shards: those of a chunk share theirs."""
    array = column.combine_chunks()
    return without_unused(array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array)


def unpack(stream: memoryview, size: int, rows: int, schema: pa.Schema) -> pa.Table:
    """Read events, and check the values that later stages rely on. Raises WireError, or what Arrow raises."""
    if not rows:
        return schema.empty_table()
    table = _table(pa.Codec("zstd").decompress(pa.py_buffer(stream), size), schema)
    if table.nbytes > size:  # overlapping buffers take more memory once they are copied
        raise TooLarge(f"a job of {counted(table.nbytes, 'byte')} of events, {size:,} of them announced")
    table.validate(full=True)
    if table.num_rows != rows or any(_has_nulls(table[one.name]) for one in schema if not one.nullable):
        raise WireError(
            f"a job of {counted(table.num_rows, 'event')}, {rows:,} of them announced, or with values missing"
        )
    seconds = table["time"].cast(pa.int64()).to_numpy() / 1e6
    if not _EARLIEST <= seconds.min() <= seconds.max() < _LATEST:
        raise WireError("a job with events at times that cannot be meant")
    return table


def _table(plain: pa.Buffer, schema: pa.Schema) -> pa.Table:
    """Return the table in an Arrow stream, without a copy."""
    if any(_is_compressed(message.metadata.to_pybytes()) for message in pa.ipc.MessageReader.open_stream(plain)):
        raise WireError("a job with compressed buffers: only the whole stream may be")
    with pa.ipc.open_stream(plain) as reader:
        if not reader.schema.equals(schema):
            raise WireError("a job with other columns than this logagg's", "run the same version everywhere")
        return reader.read_all()


def _is_compressed(metadata: bytes) -> bool:
    """Return whether the buffers of an Arrow message are compressed: Arrow would allocate whatever size they claim.

    Reads the one field of the flatbuffer that says so: Message.header, then RecordBatch.compression; a dictionary's batch
    is in DictionaryBatch.data.
    """
    (root,) = struct.unpack_from("<I", metadata)
    (kind,) = struct.unpack_from("<B", metadata, at) if (at := _field(metadata, root, 1)) else (0,)
    table = _table_at(metadata, root, 2)
    if kind == _DICTIONARY_BATCH and table:
        table = _table_at(metadata, table, 1)
    return kind in (_DICTIONARY_BATCH, _RECORD_BATCH) and bool(table and _field(metadata, table, 3))


_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # of MessageHeader in Arrow's Message.fbs


def _field(data: bytes, table: int, number: int) -> int:
    """Return the offset of a field of a flatbuffer's table; 0 if the field is absent."""
    (back,) = struct.unpack_from("<i", data, table)
    vtable = table - back
    (length,) = struct.unpack_from("<H", data, vtable)
    entry = 4 + 2 * number
    (offset,) = struct.unpack_from("<H", data, vtable + entry) if entry < length else (0,)
    return table + offset if offset else 0


def _table_at(data: bytes, table: int, number: int) -> int:
    """Return the offset of the table that a field points to; 0 if the field is absent."""
    at = _field(data, table, number)
    return at + int(struct.unpack_from("<I", data, at)[0]) if at else 0


def _has_nulls(column: pa.ChunkedArray) -> bool:
    encoded = column.chunks if pa.types.is_dictionary(column.type) else ()
    return bool(column.null_count or any(chunk.dictionary.null_count for chunk in encoded))
