"""The parts of a flush: one for each rollup, and one of requests for each shard, written side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from logagg.lake import durable
from logagg.lake.parts import FLUSH, Part, PartWriter, write_encoded
from logagg.records import Delta
from logagg.rollup.requests import NAME as REQUESTS
from logagg.rollup.requests import Requests, Table

WRITERS = os.cpu_count() or 1  # parts that are written at a time


class FlushWriter:
    """Writes the rows of deltas, with a thread for each core."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._threads = ThreadPoolExecutor(WRITERS, "writer")

    def write(self, deltas: Sequence[Delta], tables: Mapping[str, Table]) -> list[Part]:
        """Write the parts of all tables; leave none if one cannot be written."""
        names = dict.fromkeys(name for delta in deltas for name in delta.rollups)
        written = [self._threads.submit(self._write, tables[name], deltas) for name in names]
        encoded = [delta.requests for delta in deltas if delta.requests]
        written += [self._threads.submit(write_encoded, self._root, REQUESTS, Requests.grain, one) for one in encoded]
        wait(written)
        failures = [failure for one in written if (failure := one.exception())]
        if failures:
            durable.remove(self._root / one.result().path for one in written if not one.exception())
            raise failures[0]
        return [one.result() for one in written]

    def close(self) -> None:
        self._threads.shutdown()

    def _write(self, rollup: Table, deltas: Sequence[Delta]) -> Part:
        """Write one part of a rollup from the rows of all shards."""
        with PartWriter(self._root, rollup, FLUSH, rollup.grain) as writer:
            for delta in deltas:
                if rollup.name in delta.rollups:
                    writer.write(delta.rollups[rollup.name])
        assert writer.part, "a delta has no rollups without rows"
        return writer.part
