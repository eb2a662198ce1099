"""Divides the memory that a tail may take among its stages.

The memory per byte of a log depends on the log, which clients influence: a chunk of lines with nothing in common takes
some thirty times its size until it is rolled up, since every stage keeps a copy of each distinct value.
"""

from __future__ import annotations

from dataclasses import dataclass

from logagg.config.sections import Tail

BASE = 160 << 20  # bytes of a process that has read nothing: Python, the libraries
PARSER = 48 << 20  # bytes of a parser that has read nothing: mostly the patterns of user agents
_CHUNK = 2 << 20  # bytes; fewer parsers are better than smaller chunks
_COST = 24  # memory per chunk, in chunk sizes: most of it in the parser, the rest until it is rolled up


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes for each stage, and the number of parsers that fit."""

    memory: int  # total
    parsers: int  # number
    parser: int  # for each parser
    chunk: int  # read at a time
    waiting: int  # uncommitted; more causes an early flush
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
