import numpy as np
import pyarrow as pa

from logagg.columnar.encoded import EncodedText
from logagg.columnar.slices import Column
from logagg.parse.events.siphash import combined, siphash
from logagg.parse.events.visitors import Hashes, hashed, hashed_by_period

KEY = bytes(range(16))


def hashes(values: pa.Array, key: bytes = KEY, longest: int = 512) -> Hashes:
    column = Column.of(values)
    return siphash(column.data, column.offsets, key, longest)


def words(*values: str) -> EncodedText:
    return EncodedText.of(pa.chunked_array([pa.array(values).dictionary_encode()]))


def test_siphash_gives_the_published_vectors() -> None:
    """The first, some middle and the last vectors of the reference implementation, for the bytes 0, 1, 2, ..."""
    found = hashes(pa.array([bytes(range(length)) for length in range(64)], pa.binary()))
    assert [hex(found[length]) for length in (0, 1, 7, 8, 15, 63)] == [
        "0x726fdb47dd0e0e31",
        "0x74f839c593dc67fd",
        "0xab0200f58b01d137",
        "0x93f5f5799a932462",
        "0xa129ca6149be45e5",
        "0x958a324ceb064572",
    ]


def test_values_are_hashed_by_their_first_bytes() -> None:
    long = hashes(pa.array(["a" * 512, "a" * 600, "a" * 511]))
    assert long[0] == long[1] != long[2]


def test_another_key_gives_other_hashes() -> None:
    value = pa.array(["192.0.2.1"])
    assert hashes(value)[0] != hashes(value, KEY[::-1])[0]


def test_a_combined_hash_depends_on_the_order_and_spreads() -> None:
    first, second = np.arange(1000, dtype=np.uint64), np.arange(1000, 2000, dtype=np.uint64)
    rows = np.arange(1000, dtype=np.int32)
    mixed = combined(first, rows, second, rows)
    assert len(np.unique(mixed)) == 1000
    assert not np.array_equal(mixed, combined(second, rows, first, rows))
    assert 400 < np.count_nonzero(mixed % np.uint64(2)) < 600


def test_no_values() -> None:
    assert len(hashes(pa.array([], pa.string()))) == 0


def test_an_identity_replaces_address_and_agent() -> None:
    found = hashed([words("a", "b", "a", "a"), words("x", "x", "x", "y"), words("", "i", "i", "")], KEY)
    assert found[1] == found[2] and len({found[0], found[1], found[3]}) == 3


def test_a_visitor_has_another_hash_in_another_period() -> None:
    who = [words("a", "a", "a"), words("x", "x", "x"), words("", "", "")]
    first, second, third = hashed_by_period(who, np.array([7, 8, 7]), lambda period: KEY if period == 7 else KEY[::-1])
    assert first == third != second
    assert first == hashed(who, KEY)[0]
