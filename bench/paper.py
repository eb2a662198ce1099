"""What was measured, written down: tables that read well on a terminal and in Markdown, and where they stand in the docs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import BenchError

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "performance.md"
CLUSTER = ROOT / "docs" / "cluster.md"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all benches have."""
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench", help="where logs and lakes are made")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured to a file")
    parser.add_argument("--docs", action="store_true", help="write it into docs/, where its markers are")


def publish(
    options: argparse.Namespace, name: str, text: str, measured: Mapping[str, object], path: Path = DOCS
) -> None:
    """Print what was measured, and write it where the options say."""
    print(text)
    if options.docs:
        write_section(name, text, path)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=2) + "\n", "utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all columns but the first are numbers."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = "|".join(
        f" {'-' * width} " if column == 0 else f" {'-' * (width - 1)}: " for column, width in enumerate(widths)
    )
    return "\n".join([_line(head, widths), f"|{rule}|", *(_line(row, widths) for row in lines[1:])])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if not n else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join([first, *others]) + " |"


def megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e7 or not count else f"{count / 1e6:,.1f} MB"


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def holds(bound: bool) -> str:
    """Say whether a bound holds; a bench does not fail where it does not, since the machine may have been busy."""
    return "holds" if bound else "does not hold"


def machine() -> str:
    """Say what the machine is, in a line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, {system}"


def when_and_where() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}; {machine()}"


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()


def write_section(name: str, content: str, path: Path = DOCS) -> None:
    """Put a section between its markers in a document, in the place of what stood there."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    document = path.read_text("utf-8")
    before, found, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise BenchError(f"{path}: no place for these figures: write {begin} and {end} where they shall stand")
    path.write_text(f"{before}{begin}\n\n{content}\n\n{end}{after}", "utf-8")
