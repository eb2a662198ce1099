"""The decompressed content of a file: read it at a position, and prove what lies before one."""

from __future__ import annotations

import bz2
import hashlib
import os
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

import zstandard

from logagg.cargo import Mark

PROOF = 1024  # bytes that a mark covers
_BLOCK = 1 << 18
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zst"}


class Content(Protocol):
    """Bytes by position."""

    def read(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes at a position; fewer where there are no more yet."""
        ...

    def close(self) -> None: ...


class Plain:
    """A file as it is."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, position: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, position)

    def stat(self) -> os.stat_result:
        return os.fstat(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class Packed:
    """A compressed file, decompressed as it is read; going back begins anew.

    A file that is still being written, or was cut off, gives what is whole. Members that follow one another are one.
    Raises OSError where it is corrupt.
    """

    def __init__(self, path: str, compression: str) -> None:
        self._path, self._compression = path, compression
        self._file: BinaryIO | None = None
        self._ahead = b""
        self._at = 0

    def read(self, position: int, size: int) -> bytes:
        if self._file is None or position < self._at:
            self._rewind()
        while self._at < position:
            step = self._take(min(_BLOCK, position - self._at), keep=False)
            if not step:
                return b""
        return self._take(size, keep=True)

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _rewind(self) -> None:
        self.close()
        self._file = open(self._path, "rb")
        self._decoder = _decoder(self._compression)
        self._ahead, self._at = b"", 0

    def _take(self, size: int, *, keep: bool) -> bytes:
        """Return the next bytes; unless they are kept for another read, the place moves past them."""
        while len(self._ahead) < size and (more := self._decode()):
            self._ahead += more
        taken = self._ahead[:size]
        if not keep:
            self._ahead = self._ahead[len(taken) :]
            self._at += len(taken)
        return taken

    def _decode(self) -> bytes:
        assert self._file, "opened by read"
        while block := self._file.read(_BLOCK):
            try:
                out = self._decoder(block)
            except (zlib.error, zstandard.ZstdError, EOFError, ValueError) as error:
                raise OSError(f"corrupt {self._compression}: {error}") from error
            if out:
                return out
        return b""



def open_content(path: str) -> tuple[Content, str]:
    """Open a file by what it begins with, not by its name; return its content and its compression."""
    with open(path, "rb") as file:
        head = file.read(4)
    compression = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")
    return (Packed(path, compression), compression) if compression else (Plain(path), "")


def mark(content: Content, position: int) -> Mark:
    """Return the proof of the bytes before a position."""
    length = min(PROOF, position)
    return Mark(position, length, digest(content.read(position - length, length)))


def proves(content: Content, proof: Mark) -> bool:
    """Tell whether the content still has what a mark was made of."""
    data = content.read(proof.position - proof.length, proof.length)
    return len(data) == proof.length and digest(data) == proof.digest


def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _decoder(compression: str) -> Callable[[bytes], bytes]:
    make: Callable[[], Any] = {
        "gz": lambda: zlib.decompressobj(wbits=31),
        "bz2": bz2.BZ2Decompressor,
        "zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
    }[compression]
    state = make()

    def decode(block: bytes) -> bytes:
        nonlocal state
        out = b""
        while block:
            if state.eof:
                block = block.lstrip(b"\0")  # padding between members
                state = make()
                if not block:
                    break
            out += state.decompress(block)
            block = state.unused_data if state.eof else b""
        return out

    return decode
