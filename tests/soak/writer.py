"""A web server that writes and rotates its log all the time, as slowly and as carelessly as they do."""

from __future__ import annotations

import gzip
import random
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
TARGETS = ("/", "/tea", "/cups?size=2", "/site.css", "/gone", "/imp?campaign=c&ad=1&placement=top", "/click?campaign=c&ad=1", "/conv?campaign=c")
START = datetime.now(UTC) - timedelta(days=1)


class Writer:
    """Appends lines to `access.log`, moves it away now and then, and compresses what was moved before."""

    def __init__(self, folder: Path, seed: int, batch: int = 40, network: str = "192.0.2") -> None:
        self.log = folder / "access.log"
        self.lines = 0
        self._network = network  # of its visitors
        self.rotations = 0
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
        """Return all lines, from wherever they are now."""
        packed = [gzip.decompress(path.read_bytes()) for path in self.log.parent.glob("access.log-*.gz")]
        plain = [path.read_bytes() for path in self.log.parent.glob("access.log*") if path.suffix != ".gz"]
        return b"".join(packed + plain).decode().splitlines()

    def _work(self) -> None:
        file = self.log.open("a")
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
        """Move the log away, write to it a little longer, open a new one, compress the one before."""
        self.rotations += 1
        moved = self.log.with_name(f"access.log-{START:%Y%m%d}{self.rotations:06}")
        self.log.rename(moved)
        self._write(file, 3)
        file.close()
        if self._moved and self._chance.random() < 0.5:
            _compress(self._moved.pop())
        self._moved.append(moved)
        return self.log.open("a")

    def _line(self, number: int) -> str:
        if number % 50 == 49:
            return f"no line of any log, number {number}\n"
        time = (START + timedelta(seconds=number // 20)).strftime("%d/%b/%Y:%H:%M:%S +0000")
        target, agent = TARGETS[number % len(TARGETS)], list(AGENTS)[number % 7 == 0]
        status = 404 if target == "/gone" else 200
        return f'{self._network}.{number % 90} - - [{time}] "GET {target} HTTP/1.1" {status} {number % 1000} "-" "{agent}"\n'


def _compress(path: Path) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(gzip.compress(path.read_bytes()))
    draft.rename(f"{path}.gz")
    path.unlink()


def assert_written(lake: Path, writers: Sequence[Writer]) -> None:
    """Every rollup is what a plain count of everything written says."""
    lines = [line for writer in writers for line in writer.written()]
    hits = [hit for line in lines if (hit := oracle.read(line))]
    count = oracle.count(hits, lambda agent: AGENTS[agent])
    assert len(lines) == sum(writer.lines for writer in writers)
    with duckdb.connect(str(lake / "logagg.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for rollup, keys in oracle.KEYS.items():
            assert sums.differences(sums.of_lake(connection, rollup, keys), count.by(rollup, *keys)) == {}, rollup
        [(refused,)] = connection.execute("SELECT coalesce(sum(lines), 0)::BIGINT FROM rejects").fetchall()
    assert refused == len(lines) - len(hits)
