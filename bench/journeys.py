"""A month of visitors whose journeys are known: what logagg says of them, beside the truth that the log was made from.

    python -m bench.journeys --events 1000000

Each person has one journey of a kind, at an address of its own, so that every figure is the sum over journeys of what that kind says.
The log is read by `logagg tail --once` in several runs; between them the clock goes on, so that requests are derived.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from logagg.clock import ManualClock
from logagg.config.load import load
from logagg.lake.lake import Lake
from logagg.rollup.configured import tables_of

START, DAYS, RUNS = datetime(2026, 3, 1, tzinfo=UTC), 30, 6
HOUR, DAY = 3600, 86_400
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
SITE, SEARCH, PARTNER = "www.example.com", "https://www.google.com/", "https://news.example.net/today"
CONFIG = """
log_format = "vhost-combined"
[retention]
minute = "forever"
[requests]
keep = "8d"
"""
MODELS = ("last_non_direct", "last", "first", "linear", "position", "time_decay")
Ad = tuple[str, str]  # campaign and channel


@dataclass
class Truth:
    """What is true of the journeys that were written."""

    lines: list[tuple[float, str]] = field(default_factory=list)
    sums: Counter[tuple[str, ...]] = field(default_factory=Counter)
    people: int = 0
    made: int = 0  # ids and orders

    def add(self, *what: str, number: int = 1) -> None:
        self.sums[what] += number


class Person:
    """One visitor, and what it does."""

    def __init__(self, truth: Truth, chance: random.Random, agent: str = PERSON) -> None:
        truth.people += 1
        number = truth.people
        self.truth, self.chance, self.agent = truth, chance, agent
        self.address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        self.visits = 0

    def ask(self, at: float, target: str, referrer: str = "-", status: int = 200) -> None:
        time = (START + timedelta(seconds=int(at))).strftime("%d/%b/%Y:%H:%M:%S +0000")
        asked = f'"GET {target} HTTP/1.1" {status} 43 "{referrer}" "{self.agent}"'
        self.truth.lines.append((int(at), f"{SITE}:443 {self.address} - - [{time}] {asked}\n"))

    def visit(
        self, at: float, channel: str, pages: int, referrer: str = "-", query: str = "", *, more: bool = False
    ) -> float:
        """Look at some pages, a minute apart; `more`: a click or an order belongs to it. Return the time of the last."""
        for page in range(pages):
            self.ask(at + 60 * page, f"/page{page}{query if not page else ''}", referrer)
            referrer = f"https://{SITE}/page{page}"
        if self.agent == PERSON:
            self.truth.add("visits", channel)
            self.truth.add("bounces", channel, number=int(pages == 1 and not more))
            self.truth.add("views", channel, number=pages)
            self.truth.add("new", channel, number=int(not self.visits))
        self.visits += 1
        return at + 60 * (pages - 1)

    def order(self, at: float, cents: int, query: str = "", order: str = "") -> str:
        self.truth.made += 1
        order = order or f"o{self.truth.made}"
        self.ask(at, f"/conv?order={order}&value={cents / 100:.2f}&currency=EUR{query}", f"https://{SITE}/cart")
        return order


def credit(truth: Truth, cents: int, via: str, *path: tuple[Ad, float, bool], until: float = 0.0) -> None:
    """Note an order with the touches that led to it: each an ad, a time, and whether it was direct."""
    truth.add("conversions", via)
    truth.add("cents", number=cents)
    count, last = len(path), max(n for n, (_, _, is_direct) in enumerate(path) if not is_direct or len(path) == 1)
    for model in MODELS:
        weights: list[float] = [1.0] * count
        if model in ("last", "first", "last_non_direct"):
            chosen = {"last": count - 1, "first": 0, "last_non_direct": last}[model]
            weights = [float(n == chosen) for n in range(count)]
        elif model == "position" and count > 2:
            weights = [2.0 * (count - 2) if n in (0, count - 1) else 1.0 for n in range(count)]
        elif model == "time_decay":
            weights = [float(max(1, round(1e9 * 0.5 ** ((int(until) - int(at)) / (7 * DAY))))) for _, at, _ in path]
        exact = [int(weight) * 1_000_000 for weight in weights]
        total = int(sum(weights))
        whole = [one // total for one in exact]
        turns = sorted(range(count), key=lambda n: (exact[n] % total, n), reverse=True)
        for n in turns[: 1_000_000 - sum(whole)]:
            whole[n] += 1
        for (ad, _, _), part in zip(path, whole, strict=True):
            truth.add("credit", model, *ad, number=part)


def browse(p: Person, at: float) -> None:
    """Come from somewhere once or twice, and order nothing."""
    for n in range(p.chance.randint(1, 2)):
        channel, referrer = p.chance.choice((("Direct", "-"), ("Organic Search", SEARCH), ("Referral", PARTNER)))
        p.visit(at + n * 4 * HOUR, channel, p.chance.randint(1, 9), referrer)


def by_click_id(p: Person, at: float) -> None:
    """Click a tagged ad, come back without it days later, and order with its id, which the shop kept."""
    p.truth.made += 1
    known, cents = f"c{p.truth.made}", p.chance.randint(100, 20_000)
    query = f"?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid={known}"
    p.visit(at, "Paid Search", p.chance.randint(1, 4), SEARCH, query)
    then = p.visit(at + 3 * DAY, "Direct", 3, more=True) + 30
    p.order(then, cents, f"&gclid={known}")
    credit(p.truth, cents, "click_id", (("spring", "Paid Search"), at, False), until=then)


def by_banner(p: Person, at: float) -> None:
    """See an ad, click it, and order in the same visit; nothing has an id."""
    cents = p.chance.randint(100, 20_000)
    p.ask(at, "/imp?campaign=banner&ad=7", PARTNER)
    p.ask(at + 5, "/click?campaign=banner&ad=7", PARTNER, 302)
    p.truth.add("clicks", "")
    then = p.visit(at + 6, "Referral", 4, PARTNER, more=True) + 20
    p.order(then, cents)
    credit(p.truth, cents, "click", (("banner", "Referral"), at + 5, False), until=then)


def by_view(p: Person, at: float) -> None:
    """See an ad, come directly some hours later, and order."""
    cents = p.chance.randint(100, 20_000)
    p.ask(at, "/imp?campaign=brand&ad=1", PARTNER)
    then = p.visit(at + 5 * HOUR, "Direct", 3, more=True) + 20
    p.order(then, cents)
    credit(p.truth, cents, "view", (("brand", ""), at, False), until=then)


def by_several(p: Person, at: float) -> None:
    """Search, come from a partner, then directly, and order: three touches."""
    cents, first, second = p.chance.randint(100, 20_000), at, at + 4 * DAY
    p.visit(first, "Organic Search", 2, SEARCH)
    p.visit(second, "Referral", p.chance.randint(1, 3), PARTNER)
    third = at + 6 * DAY
    then = p.visit(third, "Direct", 2, more=True) + 20
    p.order(then, cents)
    path = (("", "Organic Search"), first, False), (("", "Referral"), second, False), (("", "Direct"), third, True)
    credit(p.truth, cents, "click", *path, until=then)


def direct(p: Person, at: float) -> None:
    """Come directly, and order; the page of thanks is loaded twice."""
    cents = p.chance.randint(100, 20_000)
    then = p.visit(at, "Direct", 2, more=True) + 20
    order = p.order(then, cents)
    p.order(then + 7, cents, order=order)
    p.truth.add("unmatched", "conversion", "direct", number=2)
    p.truth.add("invalid", "duplicate")
    credit(p.truth, cents, "none", (("", "Direct"), at, True), until=then)


def robot(p: Person, at: float) -> None:
    """Click, and order, as a robot."""
    p.ask(at, "/click?campaign=banner&ad=7", "-", 302)
    p.order(at + 9, 100)
    p.truth.add("invalid", "robot")
    p.truth.add("clicks", "robot")
    p.truth.add("unmatched", "click", "robot")


def expired(p: Person, at: float) -> None:
    """Click an ad that was seen the day before yesterday, and one that was never seen."""
    p.ask(at, "/imp?campaign=old&ad=3&id=i", PARTNER)
    p.ask(at + 30 * HOUR, "/click?campaign=old&ad=3", PARTNER, 302)
    p.ask(at + 50 * HOUR, "/click?campaign=none&ad=4", PARTNER, 302)
    for reason in ("impression_expired", "no_id"):
        p.truth.add("clicks", reason)
        p.truth.add("unmatched", "click", reason)


def postback(p: Person, at: float) -> None:
    """Click with an id; the shop's server reports the order with that id, from its own address."""
    p.truth.made += 1
    known, cents = f"p{p.truth.made}", p.chance.randint(100, 20_000)
    p.ask(at, f"/imp?campaign=partner&ad=9&id={known}", PARTNER)
    p.ask(at + 4, f"/click?campaign=partner&ad=9&id={known}", PARTNER, 302)
    p.truth.add("clicks", "")
    server = Person(p.truth, p.chance, "python-requests/2.32")
    server.address = "192.0.2.200"
    server.order(at + 2 * DAY, cents, f"&id={known}")
    credit(p.truth, cents, "click_id", (("partner", "Referral"), at + 4, False), until=at + 2 * DAY)


KINDS = {
    browse: 60,
    by_click_id: 6,
    by_banner: 6,
    by_view: 6,
    by_several: 6,
    direct: 5,
    robot: 2,
    expired: 4,
    postback: 5,
}


def written(events: int, seed: int) -> Truth:
    """Return journeys of about so many events, with what is true of them."""
    truth, chance = Truth(), random.Random(seed)
    while len(truth.lines) < events:
        [kind] = chance.choices(list(KINDS), list(KINDS.values()))
        person = Person(truth, chance, ROBOT if kind is robot else PERSON)
        kind(person, chance.uniform(0, (DAYS - 8) * DAY))
    truth.lines.sort(key=lambda line: line[0])
    return truth


def read(folder: Path, truth: Truth) -> Path:
    """Read the log in several runs, and derive between them; return the lake."""
    lake, config, log = folder / "lake", folder / "logagg.toml", folder / "access.log"
    config.write_text(CONFIG)
    size = len(truth.lines) // RUNS + 1
    for run in range(RUNS):
        with log.open("a") as file:
            file.writelines(line for _, line in truth.lines[run * size : (run + 1) * size])
        command = [
            sys.executable,
            "-m",
            "logagg",
            "tail",
            "--once",
            "--quiet",
            "--config",
            str(config),
            "--lake",
            str(lake),
            str(log),
        ]
        subprocess.run(command, check=True)
        derive(lake, config)
    return lake


def derive(root: Path, config_path: Path) -> None:
    """Derive what is due in the evening: so much later no line is late."""
    config = load(config_path)
    clock = ManualClock(datetime.now(UTC).timestamp() + 12 * HOUR)
    lake = Lake.open(root, tables_of(config), clock=clock, config=config)
    lake.derive_due()
    lake.close()


QUERIES = {
    **{
        name: f"SELECT '{name}', channel, sum({name}) FROM visits WHERE NOT is_bot AND channel <> '' AND views > 0 GROUP BY ALL"
        for name in ("visits", "bounces", "views", "new")
    },
    "conversions": "SELECT 'conversions', via, sum(conversions) FROM attribution WHERE invalid = 0 GROUP BY ALL",
    "cents": "SELECT 'cents', sum(value_micros) // 10000 FROM attribution",
    "invalid": "SELECT 'invalid', invalid, count(*) FROM paths WHERE invalid <> '' GROUP BY ALL",
    "clicks": "SELECT 'clicks', reason, sum(clicks) FROM matches GROUP BY ALL",
    "unmatched": "SELECT 'unmatched', kind, reason, sum(events) FROM unmatched WHERE NOT (kind = 'conversion' AND is_bot) GROUP BY ALL",
    **{
        model: f"""SELECT 'credit', '{model}', campaign, channel, sum(credit)
        FROM credits('{model}') WHERE invalid = '' GROUP BY ALL HAVING sum(credit) > 0"""
        for model in MODELS
    },
}


def said(lake: Path) -> Counter[tuple[str, ...]]:
    """Return what the lake says, in the words of the truth."""
    found: Counter[tuple[str, ...]] = Counter()
    with duckdb.connect(str(lake / "logagg.duckdb"), read_only=True) as connection:
        connection.execute("SET enable_progress_bar = false")
        for query in QUERIES.values():
            for *what, number in connection.execute(query).fetchall():
                found[tuple(what)] += int(number)
    return found


def compared(truth: Truth, found: Counter[tuple[str, ...]]) -> Iterator[tuple[str, int, int]]:
    """Yield each figure: its name, what is true, what logagg says."""
    for what in sorted(truth.sums.keys() | found.keys()):
        if truth.sums[what] or found[what]:
            yield " ".join(one or "-" for one in what), truth.sums[what], found[what]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    truth = written(given.events, given.seed)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        figures = list(compared(truth, said(read(Path(folder), truth))))
    wrong = [name for name, true, is_said in figures if true != is_said]
    print(f"{len(truth.lines):,} events of {truth.people:,} visitors\n\n{'figure':48} {'true':>14} {'logagg':>14}")
    for name, true, is_said in figures:
        print(f"{name:48} {true:>14,} {is_said:>14,}{'' if true == is_said else '   <-- differs'}")
    print(f"\n{len(figures) - len(wrong)} of {len(figures)} figures are true")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
