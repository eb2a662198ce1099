"""A web server that writes and rotates its log continuously, with slow writes and careless rotations."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import string
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import duckdb

from tests import oracle
from tests.laws import sums

AGENTS = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0": False,
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": True,
}
TARGETS = (
    "/",
    "/tea",
    "/cups?size=2",
    "/site.css",
    "/gone",
    "/imp?campaign=c&ad=1&placement=top",
    "/click?campaign=c&ad=1",
    "/conv?campaign=c",
)
START = datetime.now(UTC) - timedelta(days=1)


# Endings of rotated logs: their number, and random text.
NAMES = (
    "access.log-{n:010}",
    "access.log.{n}",
    "access.log.{n}.{x}",
    "access-2026-11-29-{n}.log",
    "access.log-20261129-{n:010}",
    "{x}-{n}-access.log",
    "access.{x}.{n}.log",
    "access.log.{x}{n}_",
    "access.log.2026-W48.{n}",
)
COMPRESSORS = {".gz": gzip, ".bz2": bz2, ".xz": lzma}


class Writer:
    """Appends lines to `access.log`, renames it now and then, and compresses earlier generations, under any names."""

    def __init__(self, folder: Path, seed: int, batch: int = 40, network: str = "192.0.2") -> None:
        self.log = folder / "access.log"
        self.lines = 0
        self._network = network  # of its visitors
        self.rotations = self._named = 0
        self._chance, self._batch = random.Random(seed), batch
        self._moved: list[Path] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="writer")

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def written(self) -> list[str]:
        """Return all lines, from their present files."""
        return b"".join(map(_content, self.log.parent.iterdir())).decode().splitlines()

    def _work(self) -> None:
        file: TextIO = self.log.open("a")
        try:
            while not self._stop.wait(self._chance.uniform(0.005, 0.03)):
                self._write(file, self._chance.randrange(1, self._batch))
                if self._chance.random() < 0.03:
                    file = self._rotate(file)
        finally:
            file.close()

    def _write(self, file: TextIO, number: int) -> None:
        """Write some lines, the last of them in two pieces."""
        text = "".join(self._line(self.lines + n) for n in range(number))
        cut = len(text) - self._chance.randrange(1, 60)
        for piece in (text[:cut], text[cut:]):
            file.write(piece)
            file.flush()
        self.lines += number

    def _rotate(self, file: TextIO) -> TextIO:
        """Rename the log, continue to write to it briefly, open a new one, compress the previous generation."""
        self.rotations += 1
        moved = self.log.with_name(self._name())
        self.log.rename(moved)
        self._write(file, 3)
        file.close()
        if self._moved and self._chance.random() < 0.5:
            self._compress(self._moved.pop())
        self._moved.append(moved)
        return self.log.open("a")

    def _name(self) -> str:
        """Return an unused name."""
        self._named += 1
        random_word = "".join(self._chance.choices(string.ascii_letters + string.digits + "_-", k=5))
        return self._chance.choice(NAMES).format(n=self._named, x=random_word)

    def _compress(self, path: Path) -> None:
        """Make a compressed file under another name: at once, or gradually while the tail may look at it, as gzip does."""
        suffix = self._chance.choice(list(COMPRESSORS))
        packed = COMPRESSORS[suffix].compress(path.read_bytes())
        target = path.with_name((path.name if self._chance.random() < 0.5 else self._name()) + suffix)
        if self._chance.random() < 0.5:
            draft = path.with_name(f".{path.name}.draft")
            draft.write_bytes(packed)
            draft.rename(target)
        else:
            size = 1 + len(packed) // self._chance.randrange(2, 9)
            with target.open("wb", buffering=0) as file:
                for at in range(0, len(packed), size):
                    file.write(packed[at : at + size])
                    self._stop.wait(self._chance.uniform(0.005, 0.05))
        path.unlink()

    def _line(self, number: int) -> str:
        if number % 50 == 49:
            return f"no line of any log, number {number}\n"
        time = (START + timedelta(seconds=number // 20)).strftime("%d/%b/%Y:%H:%M:%S +0000")
        target, agent = TARGETS[number % len(TARGETS)], list(AGENTS)[number % 7 == 0]
        status = 404 if target == "/gone" else 200
        return f'{self._network}.{number % 90} - - [{time}] "GET {target} HTTP/1.1" {status} {number % 1000} "-" "{agent}"\n'


def _content(path: Path) -> bytes:
    opener = COMPRESSORS.get(path.suffix)
    return opener.decompress(path.read_bytes()) if opener else path.read_bytes()


def assert_written(lake: Path, writers: Sequence[Writer]) -> None:
    """Every rollup agrees with a plain count of all lines written."""
    lines = [line for writer in writers for line in writer.written()]
    hits = [hit for line in lines if (hit := oracle.read(line))]
    count = oracle.count(hits, lambda agent: AGENTS[agent])
    assert len(lines) == sum(writer.lines for writer in writers)
    with duckdb.connect(str(lake / "logagg.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for rollup, keys in oracle.KEYS.items():
            assert sums.differences(sums.of_lake(connection, rollup, keys), count.by(rollup, *keys)) == {}, rollup
        assert sums.wrong_requests(connection, count) == {}
        [(refused,)] = connection.execute("SELECT coalesce(sum(lines), 0)::BIGINT FROM rejects").fetchall()
    assert refused == len(lines) - len(hits)
