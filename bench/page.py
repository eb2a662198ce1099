"""`make bench-serve`: what the page takes on a year's lake, in a real Chromium, and what 200 open pages cost a server.

The first part opens the page on the last day of the lake of `bench.make_lake` with a new server each time, so that nothing
was asked before, and clicks a value. The second one follows a log, twice: alone, and while a server tells 200 pages of each
commit; each page then requests its data again, as the real one does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median

import logagg
from bench import paper, processes, year
from bench.follow import Freshness, freshness
from bench.measure import LOGAGG, BenchError, environment, failing_in_a_line, workplace
from bench.paper import megabytes, percent, table

PAGES = 200  # open at a time
VIEWS = (  # what the page asks after a commit, two requests
    "/api/page?since=1h&parts=totals,series,latency&split=kind",
    "/api/page?since=1h&parts=panels&panels=pages,referrers,campaigns&limit=10&measures=3",
)
PATIENCE = 60.0  # seconds
PAINT, CLICK, CORES, MEMORY, TOLD = 1.0, 0.5, 0.5, 300e6, 1.0  # bounds: seconds, seconds, cores, bytes, seconds

# Everything on screen is there: no number, chart or panel waits for its first answer, or shows the one before.
_SETTLED = """() => document.querySelector('.tiles') && !document.querySelector('.numbers.stale')
    && document.querySelectorAll('.panel').length > 2
    && [...document.querySelectorAll('.panel')].filter((one) => one.getBoundingClientRect().top < innerHeight)
        .every((one) => one.getAttribute('aria-busy') !== 'true' && one.querySelector('tbody tr, .empty, .notes'))"""
# Evaluated at the beginning of each frame: the second time that it holds, the first complete frame has been painted.
_PAINTED = f"""() => {{
    window.complete = ({_SETTLED})() ? (window.complete ?? 0) + 1 : 0
    return window.complete > 1 && performance.now()
}}"""
_PRESSED = "addEventListener('pointerdown', (event) => { window.pressed = event.timeStamp }, true)"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person waits for, in seconds by the page's clock: the time that Playwright takes to find and press is not theirs."""

    paint: float  # from the start of the navigation to all that is on screen
    click: float  # from the event of pressing a value to all that is on screen


@dataclass(slots=True)
class Open:
    """What many open pages come to."""

    told: list[float] = field(default_factory=list)  # seconds from a commit to a page's knowing it
    answers: int = 0
    cores: float = 0.0  # of the server
    memory: int = 0  # bytes of the server


@contextmanager
def serving(lake: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server until the block ends; it says its address when there is a lake."""
    words = [*LOGAGG, "serve", "--lake", str(lake), "--listen", "127.0.0.1:0", *options]
    process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    found = re.search(r"http://\S+", process.stdout.readline())
    if not found:
        raise BenchError("the server did not start")
    return found[0].rstrip("/")


def shown(lake: Path, rounds: int) -> list[Shown]:
    """Open the page on the last day of a lake, click a browser; a new server and browser each time."""
    from playwright.sync_api import sync_playwright

    with logagg.connect(lake) as connection:
        [(newest,)] = connection.execute("SELECT max(max_ts) FROM files WHERE rollup = 'traffic'").fetchall()
    until = newest + timedelta(minutes=1)
    window = f"?since={until - timedelta(days=1):%Y-%m-%dT%H:%MZ}&until={until:%Y-%m-%dT%H:%MZ}"
    found = []
    with sync_playwright() as playwright:
        for _ in range(rounds):
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            with serving(lake) as process:
                page = browser.new_page(viewport={"width": 1400, "height": 1000}, reduced_motion="reduce")
                page.add_init_script(_PRESSED)
                page.goto(f"{address_of(process)}/{window}", wait_until="commit")
                paint = page.wait_for_function(_PAINTED).json_value()
                page.locator(".panel tbody th button.value").first.click()
                page.wait_for_selector(".pill")
                painted = page.wait_for_function(_PAINTED).json_value()
                found.append(Shown(paint / 1000, (painted - page.evaluate("pressed")) / 1000))
            browser.close()
    return found


def opened(folder: Path, rate: int, seconds: float) -> tuple[Freshness, Open]:
    """Follow a log while many pages are open; return how fresh it was, and what the pages came to."""
    found, lake = Open(), folder / "lake"
    with serving(lake, "--wait") as process:
        stop = threading.Event()
        pages = threading.Thread(target=_pages, args=(process, lake, found, stop), daemon=True)
        pages.start()
        fresh = freshness(rate, seconds, 1.0, folder)
        stop.set()
        pages.join(PATIENCE)
    return fresh, found


def _pages(process: subprocess.Popen[str], lake: Path, found: Open, stop: threading.Event) -> None:
    """Keep many pages open until told to stop."""
    address = address_of(process)
    commits: dict[int, float] = {}
    threading.Thread(target=_watch, args=(lake, commits, stop), daemon=True).start()
    before, began = processes.cpu(process.pid), time.monotonic()
    asyncio.run(_open(address, found, commits, stop))
    found.cores = (processes.cpu(process.pid) - before) / (time.monotonic() - began)
    found.memory = processes.resident(process.pid)


def _watch(lake: Path, commits: dict[int, float], stop: threading.Event) -> None:
    """Note when which commit came."""
    while not stop.is_set():
        with suppress(OSError, ValueError):
            number = int(Path(os.readlink(lake / "logagg.duckdb")).name.partition("-")[0])
            commits.setdefault(number, time.monotonic())
        time.sleep(0.005)


async def _open(address: str, found: Open, commits: dict[int, float], stop: threading.Event) -> None:
    host, port = re.findall(r"//([\d.]+):(\d+)", address)[0]
    tasks = [asyncio.create_task(_page(host, int(port), found, commits)) for _ in range(PAGES)]
    while not stop.is_set():
        await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _page(host: str, port: int, found: Open, commits: dict[int, float]) -> None:
    """Be one page: hear of commits, and ask for the views after each, on one connection."""
    events, sender = await asyncio.open_connection(host, port)
    sender.write(f"GET /api/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    answers, asker = await asyncio.open_connection(host, port)
    etags, kind = dict.fromkeys(VIEWS, ""), b""
    while line := await events.readline():
        if line.startswith(b"event:"):
            kind = line.split()[1]
        if not line.startswith(b"id:") or kind != b"commit":
            continue
        if (came := commits.get(int(line.split()[1]))) is not None:
            found.told.append(time.monotonic() - came)
        for view, etag in etags.items():
            asker.write(
                f"GET {view} HTTP/1.1\r\nHost: {host}\r\nIf-None-Match: {etag}\r\nAccept-Encoding: gzip\r\n\r\n".encode()
            )
            head = await answers.readuntil(b"\r\n\r\n")
            etags[view] = (re.findall(rb'(?i)etag: ("[^"]*")', head) or [b""])[0].decode()
            if length := re.findall(rb"(?i)content-length: (\d+)", head):
                await answers.readexactly(int(length[0]))
            found.answers += 1


def report(pages: Sequence[Shown], alone: Freshness, fresh: Freshness, many: Open) -> str:
    paint, click = median(one.paint for one in pages), median(one.click for one in pages)
    waits = [
        ("first paint of the last day, all on screen", f"{paint:.2f} s", f"{max(one.paint for one in pages):.2f} s"),
        ("a click's answer, all on screen", f"{click:.2f} s", f"{max(one.click for one in pages):.2f} s"),
    ]
    told = sorted(many.told)
    costs = [
        ("a commit reaches a page, half of them", f"{median(told):.2f} s"),
        ("a commit reaches a page, 99%", f"{told[int(len(told) * 0.99)]:.2f} s"),
        ("the server's processor time", percent(many.cores) + " of a core"),
        ("its memory", megabytes(many.memory)),
        ("answers", f"{many.answers:,}"),
        ("a line is visible, alone, half and 99%", f"{alone.half:.2f} s, {alone.most:.2f} s"),
        ("a line is visible, with the pages", f"{fresh.half:.2f} s, {fresh.most:.2f} s"),
    ]
    bounds = {
        f"first paint under {PAINT:g} s": paint < PAINT,
        f"a click's answer under {CLICK:g} s": click < CLICK,
        f"{PAGES} pages under half a core": many.cores < CORES,
        "and under 300 MB": many.memory < MEMORY,
        f"a commit reaches a page within {TOLD:g} s": told[int(len(told) * 0.99)] < TOLD,
    }
    lines = [f"- {name}: {'holds' if holds else 'does not hold'}." for name, holds in bounds.items()]
    return "\n\n".join(
        [
            f"On the lake of a year, {len(pages)} times with a new server:",
            table(("what", "median", "worst"), waits),
            f"A log of {fresh.rate:,} lines a second is followed for {fresh.seconds:.0f} s, with {PAGES} open pages:",
            table(("what", "measured"), costs),
            "\n".join(lines),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.page", description="Measure the page and its server.")
    parser.add_argument("--rows", type=int, default=50_000_000, help="of all rollups of the year's lake")
    parser.add_argument("--requests", type=int, default=10_000_000, help="of its last week")
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the lake there, or take the one that is there")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=10_000, help="lines/s of the followed log")
    parser.add_argument("--seconds", type=float, default=60.0)
    paper.add_options(parser)
    options = parser.parse_args()
    with failing_in_a_line(logagg.LogaggError):
        with workplace(options.folder) as folder:
            home = options.keep or folder
            home.mkdir(parents=True, exist_ok=True)
            year.made(home, options.rows, options.commits, options.requests)
            pages = shown(home / "lake", options.rounds)
        with workplace(options.folder) as folder:
            alone = freshness(options.rate, options.seconds, 1.0, folder)
        with workplace(options.folder) as folder:
            fresh, many = opened(folder, options.rate, options.seconds)
        measured = {
            "pages": [asdict(one) for one in pages],
            "alone": asdict(alone),
            "fresh": asdict(fresh),
            "open": {**asdict(many), "told": len(many.told)},
        }
        paper.publish(options, "bench-serve", report(pages, alone, fresh, many), measured)


if __name__ == "__main__":
    main()
