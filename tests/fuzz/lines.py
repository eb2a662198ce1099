"""Coverage-guided fuzzing (atheris): `make fuzz`.

The stages from a chunk to the rows of the rollups must not fail, and hits + rejects must equal the lines.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["logagg"]):
    from logagg.parse.formats.format import Format
    from logagg.parse.lines import fast, reference
    from logagg.records import Chunk, Fingerprint
    from tests.laws.any_log import EXTREMES, NOW, both, plain, whole_line
    from tests.laws.any_log import FORMATS as NAKED
    from tests.laws.counting import count, lines_of
    from tests.laws.enveloped import ENVELOPED, in_envelope, messages_of

assert fast and reference, "they are what is looked into"

FORMATS = [*NAKED, *ENVELOPED]


def one_input(data: bytes) -> None:
    if not data:
        return
    fmt, data = FORMATS[data[0] % len(FORMATS)], data[1:]
    ours, plainly = both(data, fmt)
    if plain(ours) != plain(plainly) or ours.rejects != plainly.rejects:
        raise AssertionError("the parsers do not agree")
    if count(data, fmt) != expected(data, fmt):
        raise AssertionError("a line is lost, or counted twice")


def expected(data: bytes, fmt: Format) -> int:
    """Return how many lines the rows must account for."""
    if fmt.envelope and fmt.comment:
        return len(list(reference.outcomes(Chunk("s", 0, 0, len(data), data, Fingerprint(len(data), 0, "")), fmt, NOW)))
    return len(messages_of(data, fmt.envelope)) if fmt.envelope else lines_of(data, fmt)


def seed(folder: Path) -> None:
    """Give the fuzzer initial lines of each format, and numbers to put into them."""
    draw = random.Random(7)
    for number, fmt in enumerate(FORMATS):
        for line in range(20):
            lines = in_envelope([whole_line(fmt, draw)], fmt.envelope, draw)
            (folder / f"seed-{number}-{line}").write_bytes(bytes([number]) + b"\n".join(lines))
    (folder / "seed-numbers").write_bytes(b"\0" + "\n".join(value for value in EXTREMES if len(value) < 50).encode())


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
