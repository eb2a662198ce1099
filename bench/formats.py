"""`make bench-formats`: what reading each format costs, beside combined. One thread, no lake: lines -> events.

The lines are those of `fixtures/formats`, repeated: some dozens that differ, so that what is measured is the work for each line,
not for each distinct value.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from bench import paper
from bench.measure import BenchError, failing_in_a_line
from bench.paper import ROOT, table
from logagg.config.sections import Config
from logagg.parse.detect import detect
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.format import Format
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint

FORMATS = ROOT / "fixtures" / "formats"
NOW = 1_795_900_000.0  # seconds: a day after the lines
COMBINED, ROWS_OF = "combined", "caddy"  # its rows have all that combined can say


class Reading:
    """A log of one format, and the least seconds that it was read in."""

    def __init__(self, name: str, lines: Sequence[bytes], count: int) -> None:
        fmt = detect(lines, NOW)
        if fmt is None:
            raise BenchError(f"fixtures/formats/{name}: no format is detected")
        self.name, self._fmt = name, fmt
        self._data = b"".join(line + b"\n" for line in lines) * -(-count // len(lines))
        self._lines = self._data.count(b"\n")
        self.seconds = float("inf")

    @property
    def nanoseconds(self) -> float:
        """For each line."""
        return self.seconds * 1e9 / self._lines

    @property
    def bytes(self) -> float:
        """Of each line."""
        return len(self._data) / self._lines

    def measure(self, classifier: Classifier) -> None:
        started = time.thread_time()
        _read(self._data, self._fmt, classifier)
        self.seconds = min(self.seconds, time.thread_time() - started)


def _read(data: bytes, fmt: Format, classifier: Classifier) -> None:
    chunk = Chunk("", 0, 0, len(data), data, Fingerprint.blank(0))
    classifier.classify(fast.parse(chunk, fmt, NOW).table)


def as_combined(row: dict[str, Any]) -> bytes:
    """Return a row of `expected.json` as a line of combined."""
    at = datetime.fromisoformat(row["time"]).strftime("%d/%b/%Y:%H:%M:%S +0000")
    request = " ".join(row.get(name, "-") for name in ("method", "target", "protocol"))
    said = f'"{row.get("referrer", "-")}" "{row.get("agent", "-")}"'
    return f'{row["client"]} - - [{at}] "{request}" {row["status"]} {row.get("bytes", 0)} {said}'.encode()


def readings(names: Sequence[str], count: int) -> list[Reading]:
    """Return the formats to measure, combined first."""
    rows = json.loads((FORMATS / ROWS_OF / "expected.json").read_bytes())["rows"]
    found = [Reading(COMBINED, [as_combined(row) for row in rows], count)]
    for name in names or sorted(path.name for path in FORMATS.iterdir()):
        lines = (FORMATS / name / "access.log").read_bytes().splitlines()
        found.append(Reading(name, _below_one_header([line for line in lines if line]), count))
    return found


def _below_one_header(lines: Sequence[bytes]) -> Sequence[bytes]:
    """Return lines up to the second header: servers write one when they start, not every few lines."""
    headers = [number for number, line in enumerate(lines) if b"#Fields:" in line]
    return lines[: headers[1]] if len(headers) > 1 else lines


def report(measured: Sequence[Reading], options: argparse.Namespace) -> str:
    """Return what was measured, as Markdown."""
    combined, *others = measured
    rows = [
        (one.name, f"{one.bytes:,.0f}", f"{one.nanoseconds:,.0f}", f"{one.seconds / combined.seconds:.1f} x")
        for one in (combined, *sorted(others, key=lambda one: -one.seconds))
    ]
    head = (
        f"{paper.when_and_where()}. {options.lines:,} lines of each, the best of {options.rounds} rounds, one thread."
    )
    return f"{head}\n\n{table(('format', 'bytes a line', 'ns a line', 'of combined'), rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.formats", description="Measure each format beside combined.")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="*", default=(), metavar="FORMAT", help="directories of fixtures/formats")
    paper.add_options(parser)
    options = parser.parse_args()
    pa.set_cpu_count(1)
    with failing_in_a_line():
        measured = readings(options.kinds, options.lines)
        classifier = Classifier.of(Config(), b"0" * 16)
        for number in range(options.rounds):
            for one in measured:
                one.measure(classifier)
            print(f"round {number + 1}", file=sys.stderr, flush=True)
        paper.publish(
            options, "bench-formats", report(measured, options), {one.name: one.nanoseconds for one in measured}
        )


if __name__ == "__main__":
    main()
