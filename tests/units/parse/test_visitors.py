import numpy as np
import pyarrow as pa

from logagg.parse.visitors import combine, siphash

KEY = bytes(range(16))


def test_siphash_gives_the_published_vectors() -> None:
    """The first, some and the last of the vectors in the reference implementation, for the bytes 0, 1, 2, ..."""
    values = pa.array([bytes(range(length)) for length in range(64)], pa.binary())
    hashes = siphash(values, KEY)
    assert [hex(hashes[length]) for length in (0, 1, 7, 8, 15, 63)] == [
        "0x726fdb47dd0e0e31",
        "0x74f839c593dc67fd",
        "0xab0200f58b01d137",
        "0x93f5f5799a932462",
        "0xa129ca6149be45e5",
        "0x958a324ceb064572",
    ]


def test_values_are_hashed_by_their_first_512_bytes() -> None:
    long = siphash(pa.array(["a" * 512, "a" * 600, "a" * 511]), KEY)
    assert long[0] == long[1] != long[2]


def test_another_key_gives_other_hashes() -> None:
    value = pa.array(["192.0.2.1"])
    assert siphash(value, KEY)[0] != siphash(value, KEY[::-1])[0]


def test_combine_tells_the_order_and_spreads() -> None:
    first, second = np.arange(1000, dtype=np.uint64), np.arange(1000, 2000, dtype=np.uint64)
    mixed = combine(first, second)
    assert len(np.unique(mixed)) == 1000
    assert not np.array_equal(mixed, combine(second, first))
    assert 400 < np.count_nonzero(mixed % np.uint64(2)) < 600


def test_no_values() -> None:
    assert len(siphash(pa.array([], pa.string()), KEY)) == 0
