"""The pages of one column of a row group: what its values take in the file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import encode_numbers, spread
from logagg.columnar.slices import Bytes, Codes, Column, Slices
from logagg.parquet import thrift
from logagg.parquet.pages import bloom_filter, encode_codes, encode_deltas, list_levels, plain_texts

# Numbers of the format (parquet.thrift).
PLAIN, RLE, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, RLE_DICTIONARY = 0, 3, 5, 6, 8
_FILTER_BLOCK = 256  # bits
_FALSE_POSITIVES = 0.05  # of a filter

Numbers = npt.NDArray[Any]  # of 32 or 64 bits


class Encoding(NamedTuple):
    """How a column is written. Text and `repeated` numbers have a dictionary; the others are plain."""

    repeated: bool = True  # many values come more than once
    deltas: bool = False  # differences take less space than the numbers
    compressed: bool = True
    filtered: bool = False  # a filter tells readers which texts a row group lacks


class Page(NamedTuple):
    """The values of a page, and the number of its encoding."""

    data: bytes | memoryview
    values: int
    encoding: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A column of a row group: its pages, and what the footer says of it."""

    page: Page
    dictionary: Page | None = None
    filter: Bytes | None = None


def encoded(column: pa.Array, encoding: Encoding, *, nullable: bool) -> Chunk:
    """Return the pages of a column: `dictionary(int32, string)`, text, times, numbers, truth, or lists of numbers."""
    if pa.types.is_list(column.type):
        return _of_lists(column, encoding)
    levels = _levels(column) if nullable else b""
    if column.null_count == len(column):
        return Chunk(Page(levels, len(column), PLAIN))
    if pa.types.is_dictionary(column.type):
        return _of_text(column, encoding, levels)
    present = column.drop_null() if column.null_count else column
    if pa.types.is_string(column.type):
        text = Column.of(present)
        lengths = encode_deltas(text.lengths.astype(np.int64))
        return Chunk(Page(b"".join((levels, lengths.data, text.data.data)), len(column), DELTA_LENGTH_BYTE_ARRAY))
    if pa.types.is_boolean(column.type):
        bits = np.packbits(present.to_numpy(zero_copy_only=False), bitorder="little")
        return Chunk(_page(levels, bits, len(column), PLAIN))
    if encoding.deltas:
        return Chunk(_page(levels, encode_deltas(_numbers(present)), len(column), DELTA_BINARY_PACKED))
    return _of_numbers(present, encoding, levels, len(column))


def _of_text(column: pa.DictionaryArray, encoding: Encoding, levels: bytes) -> Chunk:
    indices = column.indices.drop_null() if column.null_count else column.indices
    page, text, used = _distinct(indices.to_numpy(), column.dictionary)
    dictionary = Page(_bytes(plain_texts(text.data, text.offsets, used)), len(used), PLAIN)
    found = None
    if encoding.filtered:
        found = bloom_filter(text.data, text.offsets, used, _filter_blocks(len(used)))
    return Chunk(_page(levels, page, len(column), RLE_DICTIONARY), dictionary, found)


def _distinct(codes: Codes, values: pa.Array) -> tuple[Bytes, Column, Codes]:
    """Return the page of codes, texts, and the positions of the used ones in them, no two of which are alike.

    pyarrow reads other values than were written from a dictionary in which one comes twice (`read_dictionary`).
    """
    page, used = encode_codes(codes, len(values))
    numbers, distinct = Slices.of(values).take(used).encode()
    if len(distinct) == len(used):
        return page, Column.of(values), used
    renumbered = np.zeros(len(values), np.int32)
    renumbered[used] = numbers
    page, used = encode_codes(spread(renumbered, codes), len(distinct))
    return page, Column.of(distinct), used


def _of_lists(column: pa.ListArray, encoding: Encoding) -> Chunk:
    valid = pc.is_valid(column).to_numpy(zero_copy_only=False).view(np.uint8) if column.null_count else None
    levels, count = list_levels(column.offsets.to_numpy(), valid)
    return _of_numbers(column.flatten(), encoding, levels, count)


def _of_numbers(present: pa.Array, encoding: Encoding, levels: bytes, rows: int) -> Chunk:
    """Return numbers with a dictionary, if it takes less space than they."""
    numbers = _numbers(present)
    if encoding.repeated and numbers.dtype.kind != "f":
        page, distinct = _repeated(numbers)
        if page.nbytes + distinct.nbytes < numbers.nbytes:
            return Chunk(_page(levels, page, rows, RLE_DICTIONARY), Page(_bytes(distinct), len(distinct), PLAIN))
    return Chunk(_page(levels, numbers.view(np.uint8), rows, PLAIN))


def _repeated(numbers: Numbers) -> tuple[Bytes, Numbers]:
    """Return the page of the codes of numbers, and the distinct numbers."""
    if numbers.dtype == np.int32:  # of 16 bits: their distances from the least are codes
        least = numbers.min()
        page, used = encode_codes(numbers - least, int(numbers.max() - least) + 1)
        return page, used + least
    codes, distinct = encode_numbers(numbers.view(np.uint64))
    return encode_codes(codes, len(distinct))[0], distinct


def _bytes(values: Numbers) -> memoryview:
    return values.view(np.uint8).data


def _page(levels: bytes, values: npt.NDArray[np.uint8], rows: int, encoding: int) -> Page:
    return Page(b"".join((levels, values.data)) if levels else values.data, rows, encoding)


def _levels(column: pa.Array) -> bytes:
    """Return which rows have a value, in front of a page: one run if all or none have, else a bit each."""
    rows = len(column)
    if column.null_count in (0, rows):
        run = thrift.varint(rows << 1) + bytes([column.null_count == 0])
    else:
        bits = np.packbits(pc.is_valid(column).to_numpy(zero_copy_only=False), bitorder="little")
        run = thrift.varint(len(bits) << 1 | 1) + bits.tobytes()
    return len(run).to_bytes(4, "little") + run


def _numbers(present: pa.Array) -> Numbers:
    """Return the numbers of a column without nulls, as wide as the format has them: at least 32 bits; times in microseconds."""
    numbers = present.to_numpy()
    if numbers.dtype == np.int16:
        return numbers.astype(np.int32)
    return numbers.view(np.int64) if numbers.dtype.kind == "M" else numbers


def _filter_blocks(distinct: int) -> int:
    """Return the size of a filter of so many values. (Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom
    Filters", 2007: with eight bits of a block for each value.)"""
    bits = -8 * distinct / math.log(1 - _FALSE_POSITIVES ** (1 / 8))
    blocks = math.ceil(bits / _FILTER_BLOCK)
    return 1 << (blocks - 1).bit_length()  # a power of two, as parquet-cpp has it
