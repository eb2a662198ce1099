"""`make bench`: logagg and its peers on the same log, in turn; then logagg on logs of several lengths and of several kinds."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import paper
from bench.measure import BenchError, Run, failing_in_a_line, follow, run, workplace
from bench.paper import ROOT, megabytes, percent, table
from bench.peers import BEFORE, NO_VISITS, PEERS, WITHOUT, Peer, before, rejected

# Those of make_log, which would make us large if we imported it.
KINDS = ("mixed", "few-urls", "many-urls", "scattered", "long-agents", "tracking", "escaped", "json", "garbage")
LOGAGG = PEERS[0]
# Bounds of requests: of the speed without them, of the log on disk; and of logagg: bytes of memory, and how they may grow.
SPEED, SHARE, MEMORY, GROWTH = 0.8, 0.06, 600e6, 1.15
WITH_VISITS = 0.85  # of the speed without visits
FOLLOWED = ("scattered",)  # kinds that are followed while they are written, in many commits; the others are read once


@dataclass(frozen=True, slots=True)
class Log:
    """A log made for this bench."""

    path: Path
    kind: str
    lines: int

    @classmethod
    def make(cls, folder: Path, kind: str, lines: int) -> Log:
        log = cls(folder / f"{kind}-{lines}.log", kind, lines)
        _say(f"making {log.path.name}")
        run([sys.executable, "-m", "bench.make_log", kind, str(lines), str(log.path)], ROOT)
        return log

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size

    def warm(self) -> None:
        """Have it in the page cache, so that every program finds it there."""
        with self.path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


@dataclass(slots=True)
class Trial:
    """One program on one log, several times."""

    peer: Peer
    log: Log
    runs: list[Run] = field(default_factory=list)
    peak: int = 0  # bytes
    counted: int = 0  # lines, as the program says
    rejects: int = 0
    left: int = 0  # bytes on disk
    requests: int = 0  # bytes of them, of single events

    def once(self, folder: Path) -> None:
        """Run once, against time."""
        done = self._run(folder, watched=False)
        self.runs.append(done)
        _say(f"{self.peer.name}, {self.log.path.name}: {done.seconds:.2f} s")

    def watch(self, folder: Path) -> None:
        """Run once more, and look at its memory."""
        self.peak = self._run(folder, watched=True).peak
        _say(f"{self.peer.name}, {self.log.path.name}: {megabytes(self.peak)}")

    def _run(self, folder: Path, *, watched: bool) -> Run:
        """Run in a folder that is made for it."""
        folder.mkdir()
        self.log.warm()
        if self.log.kind in FOLLOWED:
            done = follow(self.log.path, folder, watched=watched)
        else:
            done = run(self.peer.words(self.log.path), folder, watched=watched, settings=self.peer.settings)
        self.counted, self.left = self.peer.counted(done, folder), self.peer.left(folder)
        self.requests = self.peer.requests(folder)
        if self.peer is LOGAGG:
            self.rejects = rejected(folder)
            self._check()
        shutil.rmtree(folder)
        return done

    def _check(self) -> None:
        if self.counted != self.log.lines:
            raise BenchError(f"logagg counted {self.counted:,} of {self.log.lines:,} lines of {self.log.path}")

    def outcome(self) -> Outcome:
        seconds = median(run.seconds for run in self.runs)
        return Outcome(
            self.peer.name,
            self.log.kind,
            self.log.lines,
            self.log.bytes,
            self.log.lines / seconds,
            median(run.cpu for run in self.runs),
            self.peak,
            self.left,
            self.requests,
            self.counted,
            self.rejects,
            [run.seconds for run in self.runs],
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the runs of one program on one log come to."""

    program: str
    kind: str
    lines: int
    log_bytes: int
    rate: float  # lines/s, median
    cpu: float  # seconds, median
    peak: int  # bytes
    left: int  # bytes on disk
    requests: int  # bytes of them, of single events
    counted: int
    rejects: int
    seconds: list[float]  # of each run

    @property
    def on_disk(self) -> tuple[str, str, str]:
        """What is left on disk, its share of the log, and that of the requests in it."""
        share = percent(self.requests / self.log_bytes) if self.requests else "-"
        return megabytes(self.left), percent(self.left / self.log_bytes), share


def in_turn(trials: Sequence[Trial], rounds: int, folder: Path) -> list[Outcome]:
    """Run each trial once, then each once more, and so on: what slows the machine for a while slows them all.

    Then each once more for its memory.
    """
    for _ in range(rounds):
        for trial in trials:
            trial.once(folder / "run")
    for trial in trials:
        trial.watch(folder / "run")
    return [trial.outcome() for trial in trials]


ON_DISK = ("left on disk", "of the log", "requests of the log")


def peers_table(outcomes: Sequence[Outcome]) -> str:
    ours = outcomes[0].rate if outcomes[0].program == LOGAGG.name else None
    head = ("program", "lines/s", "logagg is", "CPU s", "peak memory", *ON_DISK, "lines counted")
    rows = [
        (
            one.program,
            f"{one.rate:,.0f}",
            f"{ours / one.rate:.2f} x" if ours else "-",
            f"{one.cpu:.1f}",
            megabytes(one.peak),
            *one.on_disk,
            f"{one.counted:,}",
        )
        for one in outcomes
    ]
    return table(head, rows)


def sizes_table(outcomes: Sequence[Outcome]) -> str:
    first = outcomes[0]
    head = ("lines", "log", "lines/s", "of the first", "peak memory", "of the first", *ON_DISK)
    rows = [
        (
            f"{one.lines:,}",
            megabytes(one.log_bytes),
            f"{one.rate:,.0f}",
            percent(one.rate / first.rate),
            megabytes(one.peak),
            percent(one.peak / first.peak),
            *one.on_disk,
        )
        for one in outcomes
    ]
    return table(head, rows)


def kinds_table(outcomes: Sequence[Outcome]) -> str:
    best = max(one.rate for one in outcomes)
    head = (
        "kind of log",
        "bytes a line",
        "lines/s",
        "of the best",
        "MB/s",
        "CPU s a million lines",
        "peak memory",
        *ON_DISK,
        "rejects",
    )
    rows = [
        (
            one.kind,
            f"{one.log_bytes / one.lines:.0f}",
            f"{one.rate:,.0f}",
            percent(one.rate / best),
            f"{one.log_bytes / one.lines * one.rate / 1e6:,.0f}",
            f"{1e6 * one.cpu / one.lines:.2f}",
            megabytes(one.peak),
            *one.on_disk,
            percent(one.rejects / one.lines),
        )
        for one in outcomes
    ]
    return table(head, rows)


def bounds(outcomes: dict[str, list[Outcome]]) -> list[str]:
    """Say of each bound of requests whether it holds, in a line; of those of which something was measured."""
    found = {one.program: one for one in outcomes["peers"]}
    lines, ours, without, earlier = [], *(found.get(name) for name in (LOGAGG.name, WITHOUT, BEFORE))
    if ours and without:
        lines.append(_bound("With requests, logagg reads at", ours, without, "of its speed without", SPEED))
    if without and earlier:
        lines.append(_bound("Without requests, it reads at", without, earlier, "of the speed of logagg before", 1.0))
    if ours and (no_visits := found.get(NO_VISITS)):
        lines.append(_bound("With visits, logagg reads at", ours, no_visits, "of its speed without", WITH_VISITS))
    if of_logagg := [one for some in outcomes.values() for one in some if one.program == LOGAGG.name]:
        lines += [*_disk_bound(of_logagg), *_memory_bounds(of_logagg, outcomes["sizes"])]
    return lines


def _bound(text: str, ours: Outcome, other: Outcome, of: str, least: float) -> str:
    speed = ours.rate / other.rate
    rounds = ", ".join(percent(theirs / own) for own, theirs in zip(ours.seconds, other.seconds, strict=True))
    return f"{text} {percent(speed)} {of} (round by round: {rounds}), at least {percent(least)}: {paper.holds(speed >= least)}."


def _disk_bound(outcomes: Sequence[Outcome]) -> list[str]:
    mixed = [one.requests / one.log_bytes for one in outcomes if one.kind == "mixed"]
    return (
        [
            f"Requests take {percent(max(mixed))} of the log, at most {percent(SHARE)}: {paper.holds(max(mixed) <= SHARE)}."
        ]
        if mixed
        else []
    )


def _memory_bounds(outcomes: Sequence[Outcome], sizes: Sequence[Outcome]) -> Iterator[str]:
    most = max(outcomes, key=lambda one: one.peak)
    yield (
        f"logagg takes at most {megabytes(most.peak)} of memory ({most.kind}, {most.lines:,} lines), within {megabytes(MEMORY)}: "
        f"{paper.holds(most.peak <= MEMORY)}."
    )
    if len(sizes) > 1:
        growth, lines = sizes[-1].peak / sizes[0].peak, f"{sizes[0].lines:,} to {sizes[-1].lines:,} lines"
        yield f"From {lines}, memory becomes {percent(growth)}; flat, at most {percent(GROWTH)}: {paper.holds(growth <= GROWTH)}."


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run all there is to run, and return what came of it."""
    wanted = [peer for peer in PEERS if peer.name in options.peers]
    if options.before:
        wanted.insert(min(2, len(wanted)), before(options.before))
    present = [peer for peer in wanted if peer.version()]
    with workplace(options.folder) as folder:
        outcomes = {
            "peers": _outcomes(folder, options.rounds, present, [("mixed", options.lines)]),
            "sizes": _outcomes(folder, options.rounds, [LOGAGG], [("mixed", lines) for lines in options.sizes]),
            "kinds": _outcomes(folder, options.rounds, [LOGAGG], [(kind, options.lines) for kind in options.kinds]),
        }
    return {
        "measured": paper.when_and_where(),
        "rounds": options.rounds,
        "versions": {peer.name: peer.version() for peer in present},
        "does": {peer.name: peer.does for peer in present},
        "missing": [peer.name for peer in wanted if peer not in present],
        "outcomes": outcomes,
    }


def _outcomes(folder: Path, rounds: int, peers: Sequence[Peer], wanted: Sequence[tuple[str, int]]) -> list[Outcome]:
    """Make logs, have each of these programs read them, and delete them."""
    logs = [Log.make(folder, kind, lines) for kind, lines in wanted]
    outcomes = in_turn([Trial(peer, log) for log in logs for peer in peers], rounds, folder)
    for log in logs:
        log.path.unlink()
    return outcomes


def report(measured: dict[str, Any]) -> str:
    """Return what was measured, as Markdown."""
    outcomes, rounds = measured["outcomes"], measured["rounds"]
    versions = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
    lines = [f"{measured['measured']}; {versions}. Medians of {rounds} rounds, whole processes from start to exit."]
    if outcomes["peers"]:
        lines.append(
            f"The same {outcomes['peers'][0].lines:,} combined lines ({megabytes(outcomes['peers'][0].log_bytes)}):"
        )
        lines.append(peers_table(outcomes["peers"]))
        lines.append("\n".join(f"- {name}: {does}." for name, does in measured["does"].items()))
    lines += [f"Not installed, so not measured: {name}." for name in measured["missing"]]
    if outcomes["sizes"]:
        lines += ["logagg on longer logs:", sizes_table(outcomes["sizes"])]
    if outcomes["kinds"]:
        lines += ["logagg on other kinds of log:", kinds_table(outcomes["kinds"])]
    if held := bounds(outcomes):
        lines.append("\n".join(f"- {line}" for line in held))
    return "\n\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.run", description="Measure logagg and its peers on this machine."
    )
    parser.add_argument(
        "--lines", type=int, default=2_000_000, help="of the log that all read, and of each kind of log"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[2_000_000, 5_000_000], metavar="LINES", help="of longer logs"
    )
    parser.add_argument(
        "--kinds", nargs="*", default=KINDS, choices=KINDS, metavar="KIND", help=f"of {', '.join(KINDS)}"
    )
    names = [peer.name for peer in PEERS]
    parser.add_argument(
        "--peers", nargs="*", default=names, choices=names, metavar="NAME", help=f"of {', '.join(names)}"
    )
    parser.add_argument(
        "--before", type=Path, metavar="DIR", help="a checkout of an earlier logagg, with its .venv, to compare with"
    )
    paper.add_options(parser)
    return parser.parse_args()


def main() -> None:
    options = _options()
    with failing_in_a_line():
        measured = measure(options)
        outcomes = {name: [asdict(one) for one in some] for name, some in measured["outcomes"].items()}
        paper.publish(options, "bench", report(measured), {**measured, "outcomes": outcomes})


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
