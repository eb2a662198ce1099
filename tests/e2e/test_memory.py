"""`--memory` holds for any requests: measured as the peak resident memory of the installed command, according to the kernel."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, peak, resident, wait_until

MEMORY = 640 << 20
ALLOWED = MEMORY * 1.2
PIECE = 1 << 14  # lines written at a time
LINES = 20 * PIECE
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def line(number: int, target: str = "/", client: str = "192.0.2.1", agent: str = BROWSER, referrer: str = "-") -> str:
    second = number // 3000
    time = f"02/Mar/2026:{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d} +0000"
    return f'{client} - - [{time}] "GET {target} HTTP/1.1" 200 43 "{referrer}" "{agent}"\n'


def address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


FLOODS: dict[str, Callable[[int], str]] = {
    "urls": lambda n: line(n, f"/p/{n:x}/" + f"{n * 2654435761 % 2**64:016x}" * 14),
    "visitors": lambda n: line(n, client=f"2001:db8:{n >> 16:x}:{n & 0xFFFF:x}::1"),
    "campaigns": lambda n: line(n, f"/click?campaign={n:x}{'c' * 200}&ad={n:x}{'a' * 200}&placement={n:x}", address(n)),
    "agents": lambda n: line(
        n, agent=f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/{n:x} Firefox/{n}.0 {'z' * 150}"
    ),
    "everything": lambda n: line(
        n, f"/{n:x}{'u' * 200}", address(n), f"{BROWSER} {n}", f"https://{n:x}.{'r' * 99}.example.com/"
    ),
}


def write(path: Path, make: Callable[[int], str], lines: int = LINES) -> None:
    with path.open("w") as log:
        for start in range(0, lines, PIECE):
            log.write("".join(map(make, range(start, start + PIECE))))


@pytest.mark.parametrize(
    "flood", [pytest.param(one, marks=[] if one == "everything" else [pytest.mark.soak]) for one in FLOODS]
)
def test_a_flood(logagg: Command, tmp_path: Path, flood: str) -> None:
    log = tmp_path / "access.log"
    write(log, FLOODS[flood])
    assert peak(logagg.start("tail", "--once", "-q", "--memory", "640MB", log)) < ALLOWED
    assert logagg.lines() == LINES
    log.unlink()
    for view, measure in {"pages": "views", "referrers": "hits", "agents": "hits"}.items():
        of_pages = view == "pages" and flood == "campaigns"  # clicks are not page views
        assert logagg.read(f"SELECT sum({measure}) FROM {view}") == [(None if of_pages else LINES,)], view
    if flood == "campaigns":
        assert logagg.read("SELECT sum(clicks) + sum(clicks_dup) FROM ads") == [(LINES,)]
    if flood in ("urls", "everything"):
        assert logagg.read("SELECT sum(views) > 0 FROM pages WHERE path = '(other)'") == [(True,)]


def pieces() -> Iterator[bytes]:
    yield line(0).encode()
    yield from [b"x" * (16 << 20)] * 64
    yield ("\n" + line(1)).encode()


def test_a_gigabyte_without_a_newline(logagg: Command, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with log.open("wb") as file:
        file.writelines(pieces())
    assert peak(logagg.start("tail", "--once", "-q", "--memory", "640MB", log)) < ALLOWED
    log.unlink()
    assert logagg.read("SELECT reason, lines FROM rejects") == [("too_long", 1)] and logagg.lines() == 3


def test_a_gigabyte_without_a_newline_as_standard_input(logagg: Command) -> None:
    process = subprocess.Popen(
        logagg.argv("tail", "-q", "--memory", "640MB", "-"), env=logagg.env, stdin=subprocess.PIPE
    )
    assert process.stdin
    with process.stdin as pipe:
        pipe.writelines(pieces())
    assert peak(process) < ALLOWED  # type: ignore[arg-type]
    assert logagg.read("SELECT reason, lines FROM rejects") == [("too_long", 1)] and logagg.lines() == 3


@pytest.mark.soak
def test_a_bomb(logagg: Command, tmp_path: Path, tool: Callable[[str], str]) -> None:
    """Three gigabytes of zeros after a line, in three megabytes."""
    log = tmp_path / "access.log.gz"
    zeros = f"head -c {3 << 30} /dev/zero"
    packed = f"(printf '%s' \"$LINE\"; {zeros}; printf '\\n%s' \"$LINE\") | {tool('gzip')} -1 > {log}"
    subprocess.run(["sh", "-c", packed], env={**os.environ, "LINE": line(0)}, check=True, timeout=300)
    assert peak(logagg.start("tail", "--once", "-q", "--memory", "640MB", log)) < ALLOWED
    assert logagg.lines() == 2  # NUL bytes at the start of a line are skipped as a hole


def test_the_flusher_is_blocked(logagg: Command, tmp_path: Path) -> None:
    """The disk refuses writes while a log grows: the tail reads only as much as memory allows, and loses no line."""
    log = tmp_path / "access.log"
    write(log, FLOODS["urls"], PIECE)
    process = logagg.start("tail", "--flush", "0.2", "--memory", "640MB", log)
    try:
        logagg.await_lines(PIECE, process)
        data = logagg.lake / "data"
        data.rename(logagg.lake / "away")
        data.touch()  # a file in place of a directory
        with log.open("a") as file:
            for start in range(PIECE, 40 * PIECE, PIECE):
                file.write("".join(map(FLOODS["urls"], range(start, start + PIECE))))
        wait_until(lambda: "retry: " in (tmp_path / "tail.log").read_text(), process)
        data.unlink()
        (logagg.lake / "away").rename(data)
        logagg.await_lines(40 * PIECE, process)
        assert resident(process) < ALLOWED
    finally:
        process.terminate()
        assert process.wait(60) == 0
