"""Coverage-guided fuzzing (atheris): `make fuzz`.

The stages from a chunk to the rows of the rollups must not fail, and hits + rejects must equal the lines. The first byte of
an input says the format; beyond them, the format is detected from the lines themselves.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["logagg"]):
    from logagg.parse.detect import detect
    from logagg.parse.formats.compile import compile_format
    from logagg.parse.formats.format import Format, PersonalFields
    from logagg.parse.lines import fast, reference
    from logagg.records import Chunk, Fingerprint
    from tests.laws.any_log import EXTREMES, NOW, both, plain, whole_line
    from tests.laws.any_log import FORMATS as NAKED
    from tests.laws.counting import count, lines_of
    from tests.laws.enveloped import ENVELOPED, in_envelope, messages_of

assert fast and reference, "they are what is looked into"

FORMATS = [*NAKED, *ENVELOPED]
KINDS = len(FORMATS) + len(FORMATS) // 4  # a fifth of the inputs is detected
LOGS = Path(__file__).parents[2] / "fixtures/formats"
LINES = 6  # of a log of each kind
LATER = 1_795_900_000.0  # than the times of those
PERSONAL = PersonalFields(users=True)


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    number, data = int.from_bytes(data[:2], "little") % KINDS, data[2:]
    is_detected = number >= len(FORMATS)
    fmt, now = (detected(data), LATER) if is_detected else (FORMATS[number], NOW)
    if fmt is None:
        return
    ours, plainly = both(data, fmt, now)
    if plain(ours) != plain(plainly) or ours.rejects != plainly.rejects:
        raise AssertionError("the parsers do not agree")
    counted = ours.table.num_rows + sum(ours.rejects.counts.values()) if is_detected else count(data, fmt)
    if counted != expected(data, fmt):
        raise AssertionError("a line is lost, or counted twice")


def detected(data: bytes) -> Format | None:
    """Return the format of lines, whose name must compile to it again."""
    fmt = detect([line for line in data.split(b"\n") if line.strip(b"\r\0")], LATER, PERSONAL)
    if fmt and compile_format(fmt.name, PERSONAL) != fmt:
        raise AssertionError("the name of a format is that of another one")
    return fmt


def expected(data: bytes, fmt: Format) -> int:
    """Return how many lines the rows must account for."""
    if (fmt.envelope and fmt.passes_over) or fmt.others:
        return len(list(reference.outcomes(Chunk("s", 0, 0, len(data), data, Fingerprint(len(data), 0, "")), fmt, NOW)))
    return len(messages_of(data, fmt.envelope)) if fmt.envelope else lines_of(data, fmt)


def seed(folder: Path) -> None:
    """Give the fuzzer initial lines of each format and of each log, and numbers to put into them."""
    draw = random.Random(7)
    for number, fmt in enumerate(FORMATS):
        for line in range(20):
            lines = in_envelope([whole_line(fmt, draw)], fmt.envelope, draw)
            (folder / f"seed-{number}-{line}").write_bytes(_input(number, lines))
    for log in LOGS.glob("*/access.log"):
        lines = [line for line in log.read_bytes().split(b"\n") if line][:LINES]
        (folder / f"seed-log-{log.parent.name}").write_bytes(_input(len(FORMATS), lines))
    (folder / "seed-numbers").write_bytes(_input(0, [value.encode() for value in EXTREMES if len(value) < 50]))


def _input(number: int, lines: Sequence[bytes]) -> bytes:
    return number.to_bytes(2, "little") + b"\n".join(lines)


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
