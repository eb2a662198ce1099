"""Write an access log of one kind: so many lines, in the order of their times but for one kind, the same for the same seed.

    python -m bench.make_log mixed 2000000 access.log

All kinds but for what their name says are one site's: pages, some much more asked for than others, impressions and
clicks with an id each, style sheets; two hundred thousand clients, some of which come often.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

BLOCK = 1 << 18  # lines made at a time
HOUR, DAY = 3600, 86_400
CLIENTS = 200_000
LOCAL, ISO = "%d/%b/%Y:%H:%M:%S +0000", "%Y-%m-%dT%H:%M:%S+00:00"

Numbers = npt.NDArray[np.integer[Any]]

_CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
AGENTS = (
    _CHROME,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "curl/8.5.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15",
    *(_CHROME.replace("126", str(version)) for version in range(90, 290)),
)
APP_AGENTS = tuple(
    f"{AGENTS[1]} [FBAN/FBIOS;FBAV/468.0.0.{n % 97};FBBV/{604_000_000 + n};FBDV/iPhone{10 + n % 6},{n % 5};FBMD/iPhone;FBSN/iOS;"
    f"FBSV/17.{n % 7};FBSS/3;FBID/phone;FBLC/de_DE;FBOP/5;FBRV/{611_000_000 + 7 * n}] Extension/{n:x} (build {n * 31:08x}; channel stable)"
    for n in range(20_000)
)
QUOTED_AGENTS = tuple(
    agent.replace("(", r"(\"quoted\" ") if n % 2 else agent.replace("(", r"(\x22quoted\x22 ")
    for n, agent in enumerate(AGENTS)
)
GARBAGE = (
    r'192.0.2.66 - - [20/Nov/2026:00:00:00 +0000] "\x16\x03\x01\x02\x00\x01" not a status 157 "-" "-"',
    '192.0.2.66 - - [20/Nov/2026:00:00:00 +0000] "GET /cut-off HTT',
    '192.0.2.66 - - [99/Foo/2026:99:99:99 +0000] "GET / HTTP/1.1" 200 10 "-" "-"',
    '192.0.2.66 - - [20/Nov/2026:00:00:00 +0000] "GET /" quote" HTTP/1.1" 200 10 "-" "an "odd" one',
    "2026/11/20 00:00:00 [error] 17#17: *1 open() failed (2: No such file or directory), client: 192.0.2.66",
    '{"level": "info", "message": "a line of another program"}',
    "Traceback (most recent call last):",
    "\x01\x02\x7f\x1b[31m",
    '"""""""""""',
    "-",
)


@dataclass(frozen=True, slots=True)
class Mix:
    """What a log is made of."""

    requests: tuple[float, float, float, float] = (
        0.55,
        0.25,
        0.05,
        0.15,
    )  # shares of pages, impressions, clicks, assets
    pages: int = 50_000
    evenly: bool = False  # all pages are asked for alike
    agents: tuple[str, ...] = AGENTS
    escaped: bool = False  # Apache's \" and nginx's \xHH in targets, referrers and agents
    json: bool = False  # nginx with escape=json
    garbage: float = 0.0  # share of lines that are none
    hours: int = 0  # if any, all lines are of so many hours of a day, those of an hour in any order


KINDS = {
    "mixed": Mix(),
    "few-urls": Mix(requests=(0.85, 0, 0, 0.15), pages=20),
    "many-urls": Mix(requests=(0.85, 0, 0, 0.15), pages=5_000_000, evenly=True),
    "scattered": Mix(requests=(0.85, 0, 0, 0.15), pages=5_000_000, evenly=True, hours=2),
    "long-agents": Mix(agents=APP_AGENTS),
    "tracking": Mix(requests=(0.08, 0.8, 0.1, 0.02)),
    "escaped": Mix(agents=QUOTED_AGENTS, escaped=True),
    "json": Mix(json=True),
    "garbage": Mix(garbage=0.05),
}


class Lines:
    """Makes lines of one kind."""

    def __init__(self, kind: str, seed: int = 1) -> None:
        self._mix = KINDS[kind]
        self._chance = np.random.default_rng(seed)
        self._clients = pa.array(
            ".".join(map(str, numbers)) for numbers in self._chance.integers(1, 250, (CLIENTS, 4)).tolist()
        )
        self._ids = pa.array(f"{number:05x}" for number in range(BLOCK))
        self._made = 0  # blocks

    def block(self, times: Numbers) -> memoryview:
        """Return the text of one line for each of at most BLOCK times (seconds since the epoch)."""
        mix, rows = self._mix, len(times)
        columns = {
            "client": self._clients.take(pa.array(self._often(1.3, CLIENTS, rows))),
            "time": _clock(times, ISO if mix.json else LOCAL),
            "target": self._targets(rows),
            "status": self._pick(["200", "304", "404", "301", "500"], [0.86, 0.06, 0.05, 0.02, 0.01], rows),
            "bytes": _text(self._chance.integers(43, 60_000, rows)),
            "referrer": self._referrers(rows),
            "agent": pa.array(mix.agents).take(pa.array(self._often(1.4, len(mix.agents), rows))),
        }
        lines = _json(columns) if mix.json else _combined(columns)
        self._made += 1
        return _content(self._spoiled(lines) if mix.garbage else lines)

    def _often(self, slope: float, count: int, rows: int) -> Numbers:
        """Choose numbers below `count`, the small ones much more often."""
        return np.minimum(self._chance.zipf(slope, rows) - 1, count - 1)

    def _pick(self, values: list[str], shares: list[float], rows: int) -> pa.Array:
        return pa.array(values).take(pa.array(self._chance.choice(len(values), rows, p=shares)))

    def _pages(self, rows: int) -> Numbers:
        return (
            self._chance.integers(0, self._mix.pages, rows)
            if self._mix.evenly
            else self._often(1.5, self._mix.pages + 1, rows)
        )

    def _articles(self, pages: Numbers) -> pa.Array:
        folder: Any = "/articles/"
        if self._mix.escaped:
            folder = pa.array([folder, r"/articles/caf\xC3\xA9-\x22"]).take(pa.array(pages % 2))
        return _join(folder, _text(pages), ".html")

    def _targets(self, rows: int) -> pa.Array:
        pages, ads = self._pages(rows), self._chance.integers(0, 500, rows)
        kind = self._chance.choice(4, rows, p=self._mix.requests)
        seen = _join(
            pa.array(["", "/imp", "/click", ""]).take(pa.array(kind)),
            *("?ad=", _text(ads), "&campaign=c", _text(ads % 40), "&placement=p", _text(pages % 8)),
            *(f"&id={self._made:x}", self._ids[:rows]),
        )
        asset = _join("/static/", _text(pages % 300), ".css")
        return pc.choose(pa.array(kind), self._articles(pages), seen, seen, asset)

    def _referrers(self, rows: int) -> pa.Array:
        none = "" if self._mix.json else "-"
        search = (
            r"https://www.google.com/search?q=\x22caf\xC3\xA9\x22" if self._mix.escaped else "https://www.google.com/"
        )
        own = _join("https://www.example.com", self._articles(self._pages(rows)))
        return pc.choose(pa.array(self._chance.choice(3, rows, p=[0.4, 0.4, 0.2])), none, own, search)

    def _spoiled(self, lines: pa.Array) -> pa.Array:
        """Put garbage, and lines that were cut off, in the place of some."""
        chosen = self._chance.random(len(lines)) < self._mix.garbage
        cut = _join(pc.utf8_slice_codeunits(lines, 0, 70), "\n")
        kind = self._chance.integers(0, len(GARBAGE) + 1, len(lines))
        junk = pa.array([*(f"{line}\n" for line in GARBAGE), None]).take(pa.array(kind))
        return pc.if_else(pa.array(chosen), pc.coalesce(junk, cut), lines)


def _clock(times: Numbers, shape: str) -> pa.Array:
    seconds, which = np.unique(times, return_inverse=True)
    written = [datetime.fromtimestamp(second, UTC).strftime(shape) for second in seconds.tolist()]
    return pa.array(written).take(pa.array(which))


def _combined(column: dict[str, pa.Array]) -> pa.Array:
    return _join(
        *(column["client"], " - - [", column["time"], '] "GET ', column["target"], ' HTTP/1.1" '),
        *(column["status"], " ", column["bytes"], ' "', column["referrer"], '" "', column["agent"], '"\n'),
    )


def _json(column: dict[str, pa.Array]) -> pa.Array:
    return _join(
        *('{"time_iso8601":"', column["time"], '","remote_addr":"', column["client"], '","host":"www.example.com"'),
        *(
            ',"request":"GET ',
            column["target"],
            ' HTTP/1.1","status":',
            column["status"],
            ',"body_bytes_sent":',
            column["bytes"],
        ),
        *(',"http_referer":"', column["referrer"], '","http_user_agent":"', column["agent"], '"}\n'),
    )


def _text(numbers: Numbers) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def _join(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _content(lines: pa.Array) -> memoryview:
    """Return the text of all strings one after another, without a copy."""
    offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]]


def blocks(kind: str, lines: int, first: datetime, days: int = 1, seed: int = 1) -> Iterator[memoryview]:
    """Yield a log of some days, block by block."""
    chance = np.random.default_rng([seed, lines])
    hours = KINDS[kind].hours
    times = np.sort(chance.integers(0, hours * HOUR or DAY * days, lines, dtype=np.int32)) + np.int64(first.timestamp())
    if hours:
        times += chance.integers(0, HOUR, lines) - times % HOUR
    maker = Lines(kind, seed)
    for start in range(0, lines, BLOCK):
        yield maker.block(times[start : start + BLOCK])


def yesterday() -> datetime:
    """Return a day that no server would call the future, nor old enough for retention."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.make_log", description="Write an access log of one kind.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("lines", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--days", type=int, default=1, help="how many days it spans; the last is yesterday")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    first = yesterday() - timedelta(days=options.days - 1)
    with options.file.open("wb") as file:
        for block in blocks(options.kind, options.lines, first, options.days, options.seed):
            file.write(block)


if __name__ == "__main__":
    main()
