"""Bytes of a stranger, guided by coverage (atheris): `make fuzz`.

The river from a chunk to the rows of the rollups; it must not fail, and hits + rejects must be the lines.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["logagg"]):
    from logagg.parse import columns, reference
    from tests.laws.test_fuzz import count, lines_of
    from tests.laws.test_parsers_agree import FORMATS, both, plain

assert columns and reference, "they are what is looked into"


def one_input(data: bytes) -> None:
    if not data:
        return
    fmt, data = FORMATS[data[0] % len(FORMATS)], data[1:]
    fast, slow = both(data, fmt)
    if plain(fast) != plain(slow) or fast.rejects != slow.rejects:
        raise AssertionError("the parsers do not agree")
    if count(data, fmt) != lines_of(data):
        raise AssertionError("a line is lost, or counted twice")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
