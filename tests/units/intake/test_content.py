"""The bytes of a file by position, with any compression."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from logagg.intake.content import (
    FINGERPRINT_BYTES,
    Compressed,
    Content,
    Plain,
    fingerprint_of,
    has_fingerprint,
    open_content,
)

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "xz": lzma.compress,
}
DATA = b"".join(b"line %d %d\n" % (number, number * 7919 % 10007) for number in range(30_000))


@pytest.fixture(params=COMPRESS)
def compression(request: pytest.FixtureRequest) -> str:
    return request.param


def opened(path: Path, data: bytes) -> Content:
    path.write_bytes(data)
    return open_content(str(path))


def all_of(content: Content, size: int, known: bytes = b"") -> bytes:
    while more := content.read(len(known), size):
        known += more
    return known


def test_read_anywhere(tmp_path: Path, compression: str) -> None:
    content = opened(tmp_path / "log", COMPRESS[compression](DATA[:100_000]) + COMPRESS[compression](DATA[100_000:]))
    assert content.compression == compression
    assert content.first() == DATA[:FINGERPRINT_BYTES]
    assert content.read(300_000, 1000) == DATA[300_000:301_000]
    assert content.read(500, 10) == DATA[500:510]
    assert content.read(len(DATA), 1) == content.read(len(DATA) + 99, 1) == b""
    assert all_of(content, 70_000) == DATA
    content.close()


def test_read_into_a_room(tmp_path: Path, compression: str) -> None:
    content, buffer = opened(tmp_path / "log", COMPRESS[compression](DATA)), memoryview(bytearray(1000))
    assert (content.read_into(500, buffer), bytes(buffer)) == (1000, DATA[500:1500])
    assert (content.read_into(len(DATA) - 10, buffer), bytes(buffer)) == (10, DATA[-10:] + DATA[510:1500])
    assert content.read_into(len(DATA), buffer) == 0
    content.close()


def test_read_while_it_grows(tmp_path: Path, compression: str) -> None:
    packed, chance = COMPRESS[compression](DATA), random.Random(3)
    at = 6 if compression == "xz" else 5  # its magic is longer
    content, known = opened(tmp_path / "log", packed[:at]), b""
    with (tmp_path / "log").open("ab", buffering=0) as file:
        while at < len(packed):
            step = chance.randrange(1, len(packed) // 5)
            file.write(packed[at : at + step])
            at += step
            known = all_of(content, 50_000, known)
            assert DATA.startswith(known)
    assert known == DATA
    assert not isinstance(content, Compressed) or content.complete
    content.close()


@pytest.mark.parametrize("kind", ["gz", "bz2", "zst", "xz"])
def test_the_intact_part_of_a_broken_archive_is_read(tmp_path: Path, kind: str) -> None:
    packed = COMPRESS[kind](DATA[:50_000]) + COMPRESS[kind](DATA[50_000:])
    cut_off = opened(tmp_path / "cut", packed[: len(packed) - 40])
    assert isinstance(cut_off, Compressed)
    known = all_of(cut_off, 10_000)
    assert DATA.startswith(known)
    assert len(known) >= 50_000
    assert not cut_off.complete
    assert not cut_off.broken
    garbage = opened(tmp_path / "garbage", COMPRESS[kind](DATA[:50_000]) + b"garbage" * 100)
    assert isinstance(garbage, Compressed)
    assert all_of(garbage, 10_000) == DATA[:50_000]
    assert garbage.broken
    cut_off.close()
    garbage.close()


@pytest.mark.parametrize("kind", ["gz", "bz2", "zst", "xz"])
@pytest.mark.slow
def test_a_bomb_is_decompressed_no_further_than_it_is_read(tmp_path: Path, kind: str) -> None:
    content = opened(tmp_path / "bomb", COMPRESS[kind](bytes(64 << 20)))
    assert content.read(0, 1000) == bytes(1000)
    assert isinstance(content, Compressed)
    assert len(content._window) < 32 << 20
    content.close()


def test_fingerprint(tmp_path: Path, compression: str) -> None:
    content = opened(tmp_path / "log", COMPRESS[compression](DATA))
    assert has_fingerprint(content, fingerprint_of(0, b""))
    assert has_fingerprint(content, fingerprint_of(5000, DATA[:5000]))
    assert not has_fingerprint(content, fingerprint_of(5000, DATA[1:5001]))
    assert not has_fingerprint(content, fingerprint_of(len(DATA) + 5, DATA))
    content.close()


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        open_content(str(tmp_path / "fifo"))  # does not wait for a writer
    with pytest.raises(OSError):
        open_content(str(tmp_path))


def test_hole(tmp_path: Path) -> None:
    content = opened(tmp_path / "log", b"x" * 10)
    assert isinstance(content, Plain)
    os.truncate(tmp_path / "log", 1 << 30)
    assert (1 << 20) < content.skip_hole(1 << 20) <= 1 << 30  # or 1 << 20 on file systems that do not report holes
    assert content.skip_hole(0) == 0
    content.close()


def test_padding_between_members_is_skipped(tmp_path: Path) -> None:
    """xz pads its streams to four bytes; tape archives pad with NULs."""
    for kind in ("gz", "xz"):
        content = opened(tmp_path / kind, COMPRESS[kind](b"one\n") + bytes(8) + COMPRESS[kind](b"two\n"))
        assert all_of(content, 100) == b"one\ntwo\n"
        content.close()


def test_an_archive_with_only_its_first_bytes(tmp_path: Path) -> None:
    for kind in ("gz", "bz2", "zst", "xz"):
        content = opened(tmp_path / kind, COMPRESS[kind](DATA)[:10])
        assert isinstance(content, Compressed)
        assert (content.first(), content.complete, content.broken) == (b"", False, "")
        content.close()


def test_a_broken_archive_gives_the_same_again(tmp_path: Path) -> None:
    """Going back restarts at the first byte; the broken part does not hide the intact part before it."""
    packed = bytearray(lzma.compress(DATA[:50_000]) + lzma.compress(DATA[50_000:]))
    packed[-5_000:] = b"x" * 5_000
    content = opened(tmp_path / "log.xz", bytes(packed))
    assert isinstance(content, Compressed)
    known = all_of(content, 10_000)
    assert known.startswith(DATA[:50_000])
    assert content.broken.startswith("corrupt xz: ")
    assert not content.complete
    assert content.read(0, 1000) == DATA[:1000]
    content.close()


@pytest.mark.slow
def test_a_forged_xz_that_needs_much_memory_counts_as_broken(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    forged = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=filters)  # no data: the compressor would take the memory, too
    content = opened(tmp_path / "log.xz", forged.compress(b"line\n") + forged.flush())
    assert isinstance(content, Compressed)
    assert content.first() == b""
    assert content.broken.startswith("corrupt xz: ")
    content.close()


@pytest.mark.parametrize(
    ("magic", "name"), [(b"\x04\x22\x4d\x18", "lz4"), (b"\x1f\x9d", r"compress \(.Z\)"), (b"PK\x03\x04", "zip")]
)
def test_compressions_that_are_not_read(tmp_path: Path, magic: bytes, name: str) -> None:
    with pytest.raises(OSError, match=f"compressed with {name}, which logagg does not read"):
        opened(tmp_path / "log", magic + bytes(100))
