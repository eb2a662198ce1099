"""The decompressed content of a file: read at a position, and compare with a fingerprint."""

from __future__ import annotations

import bz2
import contextlib
import errno
import fcntl
import hashlib
import lzma
import os
import select
import stat
import zlib
from abc import ABC, abstractmethod
from typing import Any, Protocol

import zstandard

from logagg.intake.birth import born
from logagg.records import Fingerprint, Source

FINGERPRINT_BYTES = 1024  # bytes that a full fingerprint covers
PATIENCE = 0.05  # seconds of one wait for the next bytes of a pipe
WAITS = 8  # such waits in one read, at most
_PIECE = 1 << 16  # bytes decompressed at a time
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zst", b"\xfd7zXZ\0": "xz"}
_NOT_READ = {
    b"\x04\x22\x4d\x18": "lz4",
    b"\x1f\x9d": "compress (.Z)",
    b"LZIP": "lzip",
    b"\x89LZO\0": "lzop",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"PK\x03\x04": "zip",
}
_LONGEST_MAGIC = max(map(len, (*_MAGIC, *_NOT_READ)))
_XZ_MEMORY = 256 << 20  # bytes that a decoder may take: xz -9 needs 65 MB, a forged header asks for 4 GB

_UNPACKABLE = (zlib.error, zstandard.ZstdError, lzma.LZMAError, EOFError, ValueError, OSError)

Key = tuple[int, int]  # device, inode


class Content(Protocol):
    """Bytes by position."""

    compression: str

    def read(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes at a position; fewer at the end of the content."""
        ...

    def read_into(self, position: int, buffer: memoryview) -> int:
        """Fill `buffer` from a position; return how many bytes there were."""
        ...

    def first(self) -> bytes:
        """Return the first bytes, up to `FINGERPRINT_BYTES`."""
        ...

    def holds(self, fingerprint: Fingerprint) -> bool:
        """Return whether the bytes that were read are still there; always true where they cannot change."""
        ...

    def skip_hole(self, position: int) -> int:
        """Return where the data after a hole at `position` may begin: all bytes before that are NULs."""
        ...

    def stat(self) -> os.stat_result: ...

    def born(self) -> float | None:
        """Return when the file was made, in seconds since the epoch; None where that is not known."""
        ...

    def close(self) -> None: ...


class _File:
    compression = ""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def stat(self) -> os.stat_result:
        return os.fstat(self._descriptor)

    def born(self) -> float | None:
        return born(self._descriptor)

    def skip_hole(self, position: int) -> int:
        return position

    def close(self) -> None:
        os.close(self._descriptor)


class Plain(_File):
    """A file as it is."""

    def read(self, position: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, position)

    def read_into(self, position: int, buffer: memoryview) -> int:
        return os.preadv(self._descriptor, [buffer], position)

    def first(self) -> bytes:
        return self.read(0, FINGERPRINT_BYTES)

    def holds(self, fingerprint: Fingerprint) -> bool:
        return has_fingerprint(self, fingerprint)

    def skip_hole(self, position: int) -> int:
        try:
            return os.lseek(self._descriptor, position, os.SEEK_DATA)
        except OSError as error:  # no data after it, or a file system that cannot tell
            return self.stat().st_size if error.errno == errno.ENXIO else position


class _Stream(_File, ABC):
    """A content that can only be read in order; bytes that were read ahead are kept in a window."""

    @abstractmethod
    def read(self, position: int, size: int) -> bytes: ...

    def read_into(self, position: int, buffer: memoryview) -> int:
        data = self.read(position, len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Compressed(_Stream):
    """A compressed file, decompressed as it is read; going back starts again at its first byte.

    Of a file that is still being written, was cut off, or is corrupt, the part that can be decompressed is read. Several
    members are read as one content.
    """

    def __init__(self, descriptor: int, compression: str) -> None:
        super().__init__(descriptor)
        self.compression = compression
        self.broken = ""  # the error after which no more can be decompressed
        self._first = b""
        self._rewind()

    @property
    def complete(self) -> bool:
        """Return whether the bytes read so far end with a whole member."""
        return self._decoder.at_end

    def read(self, position: int, size: int) -> bytes:
        if position + size <= len(self._first):
            return self._first[position : position + size]
        if position < self._at:
            self._rewind()
        self._fill(FINGERPRINT_BYTES)
        while self._at < position:
            self._fill(1)
            if not self._window:
                return b""
            self._drop(min(len(self._window), position - self._at))
        self._fill(size)
        return bytes(memoryview(self._window)[:size])

    def first(self) -> bytes:
        return self._first if len(self._first) == FINGERPRINT_BYTES else self.read(0, FINGERPRINT_BYTES)

    def holds(self, fingerprint: Fingerprint) -> bool:
        return True  # compressed files are not overwritten in place

    def _rewind(self) -> None:
        self._decoder = _Decoder(self.compression)
        self._window, self._at, self._from = bytearray(), 0, 0

    def _drop(self, count: int) -> None:
        del self._window[:count]
        self._at += count

    def _fill(self, size: int) -> None:
        """Decompress until the window holds `size` bytes, or the file has no more."""
        while len(self._window) < size and not self.broken:
            block = os.pread(self._descriptor, self._decoder.appetite, self._from) if self._decoder.hungry else b""
            self._from += len(block)
            waited = self._decoder.hungry and not block
            try:
                more = self._decoder.decode(block)
            except _UNPACKABLE as error:
                self.broken = f"corrupt {self.compression}: {error}"
                return
            self._window += more
            if waited and not more:
                return
            if self._at == 0:
                self._first = bytes(self._window[:FINGERPRINT_BYTES])


class Pipe(_Stream):
    """Standard input: read once, in order."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._window, self._at = bytearray(), 0
        self.ended = False
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 1 << 20)  # fewer, larger reads

    def read(self, position: int, size: int) -> bytes:
        """Return the bytes at a position, and drop those before it; wait a moment for more."""
        del self._window[: position - self._at]
        self._at, waits = position, 0
        while len(self._window) < size and not self.ended and waits < WAITS:
            if not self._has_more(0):
                waits += 1
                if not self._has_more(PATIENCE):
                    break
            data = os.read(self._descriptor, min(size - len(self._window), 1 << 20))
            self.ended = not data
            self._window += data
        return bytes(memoryview(self._window)[:size])

    def _has_more(self, timeout: float) -> bool:
        return bool(select.select([self._descriptor], [], [], timeout)[0])

    def first(self) -> bytes:
        return b""

    def holds(self, fingerprint: Fingerprint) -> bool:
        return True

    def close(self) -> None:
        pass  # the process owns standard input


def open_content(path: str) -> Content:
    """Open a file by what it begins with, not by its name. Raises OSError, also for a path that is not a regular
    file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # O_NONBLOCK: opening a FIFO would block
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path}: not a regular file")
        compression = compression_of(os.pread(descriptor, _LONGEST_MAGIC, 0))
    except OSError:
        os.close(descriptor)
        raise
    return Compressed(descriptor, compression) if compression else Plain(descriptor)


def compression_of(head: bytes) -> str:
    """Return how a file with these first bytes is compressed, "" where it is not. Raises OSError for other compressions."""
    for magic, name in _NOT_READ.items():
        if head.startswith(magic):
            raise OSError(f"compressed with {name}, which logagg does not read: use gzip, bzip2, xz or zstd")
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def key_of(stat: os.stat_result) -> Key:
    return stat.st_dev, stat.st_ino


def is_unchanged(source: Source, stat: os.stat_result) -> bool:
    """Return whether a file has the size and the mtime that it had when the source was last looked at."""
    return source.size == stat.st_size and abs(source.modified - stat.st_mtime) < 1e-3


def has_fingerprint(content: Content, fingerprint: Fingerprint) -> bool:
    """Return whether the content holds the bytes that a fingerprint covers."""
    if not fingerprint.length:
        return True
    data = content.read(fingerprint.position - fingerprint.length, fingerprint.length)
    return len(data) == fingerprint.length and digest(data) == fingerprint.digest


def fingerprint_of(position: int, before: bytes) -> Fingerprint:
    """Return the fingerprint of a position from the bytes before it."""
    before = before[-FINGERPRINT_BYTES:]
    return Fingerprint(position, len(before), digest(before))


def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class _Decoder:
    """Decompresses member after member, a bounded piece at a time."""

    def __init__(self, compression: str) -> None:
        self._compression = compression
        # zstandard returns all that its input expands to: small inputs bound the memory that a bomb takes.
        self.appetite = 1 << 9 if compression == "zst" else _PIECE
        self._rest = b""
        self._member: Any = self._begin()

    @property
    def at_end(self) -> bool:
        return bool(self._member.eof and not self._rest)

    @property
    def hungry(self) -> bool:
        """Return whether it needs more input to return more."""
        return not self._rest and (self._member.eof or getattr(self._member, "needs_input", True))

    def decode(self, block: bytes) -> bytes:
        block = self._rest + block
        if self._member.eof:
            block = block.lstrip(b"\0")  # padding between members
            self._member = self._begin() if block else self._member
        self._rest = b""
        if self._member.eof:
            return b""
        out = self._member.decompress(block) if self._compression == "zst" else self._member.decompress(block, _PIECE)
        self._rest = self._member.unused_data if self._member.eof else getattr(self._member, "unconsumed_tail", b"")
        return bytes(out)

    def _begin(self) -> Any:
        if self._compression == "gz":
            return zlib.decompressobj(wbits=31)
        if self._compression == "xz":
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
        return bz2.BZ2Decompressor() if self._compression == "bz2" else zstandard.ZstdDecompressor().decompressobj()
