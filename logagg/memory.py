"""How the memory that a tail may take is shared out among its stages.

What strangers write decides what a byte of a log costs: of lines that have nothing in common a chunk takes some thirty
times its size until it is rolled up, since each of its words is found, cleaned, and kept once by every stage.
"""

from __future__ import annotations

from dataclasses import dataclass

from logagg.config.sections import Tail

BASE = 160 << 20  # bytes of a process that has read nothing: Python, the libraries
PARSER = (
    48 << 20
)  # bytes that a parser has for itself before it has read anything: the patterns of user agents, for one
_CHUNK = 2 << 20  # bytes; rather fewer parsers than smaller chunks
_COST = 24  # times a chunk's size, most of it in the parser and some until it is rolled up


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes for each stage, and how many parsers there is room for."""

    memory: int  # in all
    parsers: int
    parser: int  # of each parser
    chunk: int  # read at a time
    waiting: int  # not committed; more makes an early flush
    events: int  # of a shard, rolled up together
    clicks: int  # of a shard, remembered

    @classmethod
    def of(cls, tail: Tail, memory: int, shards: int, cores: int) -> Budget:
        parsers = max(1, min(cores - cores // 2, (memory - BASE) // (PARSER + _COST * _CHUNK)))
        spare = memory - BASE - parsers * PARSER
        chunk = min(tail.chunk, spare // (_COST * parsers))
        parser = PARSER + _COST // 4 * chunk
        waiting = min(spare // 7, 8 * tail.chunk)
        return cls(memory, parsers, parser, chunk, waiting, spare // 24 // shards, spare // 32 // shards)
