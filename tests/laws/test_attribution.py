"""Laws of attribution: paths, matches, credits and what is unmatched are those of an oracle over `requests`.

Whatever the logs, cuts, shards and late lines, and whenever it is derived, merged, or the process dies.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from logagg.clock import ManualClock
from logagg.config.sections import Attribution, Config, Retention
from logagg.lake.commit import STEPS
from logagg.lake_format import MODELS
from tests import attribution_oracle as oracle
from tests.attribution_oracle import SECOND, Event, Settings
from tests.laws.crashes import Crash, dies_at
from tests.laws.logs import AGENTS, CLIENTS
from tests.laws.pace import examples
from tests.laws.visiting import LATE, START, Traffic, Writer

CLICK, VIEW = 12 * 3600, 3600  # short windows, so that a test of a day sees what is outside them
CONFIG = Config(attribution=Attribution(click=CLICK, view=VIEW), retention=Retention(None, None, None))
WINDOWS = Settings(CLICK * SECOND, VIEW * SECOND, 30 * SECOND)
ADS = ("campaign=spring&ad=1&placement=top", "campaign=spring&ad=2", "utm_campaign=autumn&ad=1")


@dataclass
class Ads(Traffic):
    """Requests of few visitors and ids: displays of ads, clicks, landings, and orders, some of them sent twice."""

    orders: int = 0

    def _line(self, at: float) -> str:
        choice = self.random.choice
        time = dt.datetime.fromtimestamp(at, dt.UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        referrer = choice(("-", "https://www.example.com/tea", "https://www.google.com/", "https://pub.example/"))
        site, agent = choice(("www.example.com", "shop.example.com")), choice(list(AGENTS)[:3])
        asked = f'"GET {self._target()} HTTP/1.1" 200 43 "{referrer}" "{agent}"'
        return f"{site}:443 {choice(CLIENTS)} - - [{time}] {asked}\n"

    def _target(self) -> str:
        choice, number = self.random.choice, self.random.randrange(6)
        kind = choice(("imp", "imp", "click", "conv", "page", "page"))
        known = choice(("", "", f"&id=i{number}", f"&gclid=g{number}", f"&click_id=i{number}"))
        if kind == "page":
            return choice(("/", "/tea", f"/tea?gclid=g{number}", "/tea?utm_campaign=may"))
        if kind == "conv":
            self.orders += self.random.random() < 0.7
            order = choice(("", f"&order=o{self.orders}"))
            return f"/conv?value={choice(('12.50', '7', 'x'))}{order}{known}"
        return f"/{kind}?{choice(ADS)}{known}"


def requests(root: Path) -> list[Event]:
    """Return the requests of a lake as events of the oracle."""
    names = list(Event.__dataclass_fields__)
    columns = ", ".join("epoch_us(ts)" if name == "ts" else name for name in names)
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        rows = connection.execute(f"SELECT {columns} FROM requests").fetchall()
    nullable = {"channel", "value_micros"}
    found: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows]
    empty = ({name: "" for name, value in row.items() if value is None and name not in nullable} for row in found)
    return [Event(**(row | filled)) for row, filled in zip(found, empty, strict=True)]


def assert_attributed(root: Path, late: set[tuple[str, int]], *models: str) -> None:
    """Every view says what the oracle says of the requests, but for the late ones."""
    events = [one for one in requests(root) if (one.source, one.position) not in late]
    paths, matches = oracle.paths(events, WINDOWS), oracle.matches(events, WINDOWS)
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as db:
        names = "source, position, is_bot, invalid, via, reason, seconds, value_micros, order_id"
        touch = "list_transform(path, lambda t: (t.kind, t.campaign, t.ad, t.placement, t.channel, t.source)) AS path"
        found = {row[:2]: row[2:] for row in db.execute(f"SELECT {names}, {touch} FROM paths").fetchall()}
        assert found == {(p.conversion.source, p.conversion.position): _expected(p) for p in paths}
        for model in models:
            credits: dict[object, list[int]] = {}
            rows = db.execute(f"SELECT source, position, credit FROM credits('{model}') ORDER BY step").fetchall()
            for source, position, credit in rows:
                credits.setdefault((source, position), []).append(credit)
            wanted = {(p.conversion.source, p.conversion.position): oracle.credits(p, model) for p in paths}
            assert credits == {key: credit or [1_000_000] for key, credit in wanted.items()}
            assert all(sum(credit) == 1_000_000 for credit in credits.values())
        rows = db.execute(
            "SELECT site, campaign, ad, is_bot, reason, sum(clicks)::BIGINT FROM matches GROUP BY ALL"
        ).fetchall()
        assert {row[:-1]: row[-1] for row in rows} == Counter(
            (k.site, k.campaign, k.ad, k.is_bot, why) for k, why in matches
        )
        [(gross, invalid, net)] = db.execute(
            "SELECT count(*), count(*) FILTER (invalid > 0), coalesce(sum(conversions), 0) FROM attribution"
        ).fetchall()
        assert (gross, invalid, net) == (
            len(paths),
            *(sum(bool(p.invalid) is is_ for p in paths) for is_ in (True, False)),
        )
        unmatched = dict(db.execute("SELECT kind, sum(events)::BIGINT FROM unmatched GROUP BY kind").fetchall())
        assert unmatched.get("conversion", 0) + sum(p.via != "none" for p in paths) == len(paths)
        assert unmatched.get("click", 0) + sum(not why for _, why in matches) == len(matches)


def _expected(p: oracle.Path) -> tuple[object, ...]:
    path = [(t.kind, t.campaign, t.ad, t.placement, t.channel or "", t.referrer_source) for t in p.touches]
    return p.is_bot, p.invalid, p.via, p.reason, p.seconds, p.conversion.value_micros, p.conversion.order_id, path


def die(writer: Writer, step: str) -> None:
    """Derive, and die at a step of the commit, if anything is due."""
    writer.lake.crash_at(dies_at(step))
    with contextlib.suppress(Crash):
        writer.derive()


@given(st.integers(0, 1 << 32))
@examples(4)
def test_views_say_what_the_oracle_says_of_requests(seed: int) -> None:
    """Logs in any order, late lines, derivations, merges, deaths and restarts with any shards at any time."""
    random = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        root, clock = Path(folder) / "lake", ManualClock(START)
        traffic, late = Ads(random), set[tuple[str, int]]()
        writer = Writer(root, clock, random.randint(1, 7), CONFIG)
        for _ in range(random.randint(6, 14)):
            act = random.choice(("commit", "commit", "commit", "derive", "merge", "restart", "die"))
            if act == "commit":
                traffic.write(random.choice("abc"), random.randint(5, 25), random.choice((10, LATE, 4 * LATE)))
                clock.sleep(max(0.0, traffic.now - clock.now()) + random.choice((0, 300, 4000)))
                mark = writer.lake.state.derived["paths"].until.timestamp() * SECOND
                known = {(one.source, one.position) for one in requests(root)}
                writer.commit(traffic.logs)
                brought = [one for one in requests(root) if (one.source, one.position) not in known]
                late |= {(one.source, one.position) for one in brought if one.ts < mark}
            elif act in ("restart", "die"):
                if act == "die":
                    die(writer, random.choice(STEPS))
                writer.close()
                writer = Writer(root, clock, random.randint(1, 7), CONFIG)
            else:
                getattr(writer, act)()
            if random.random() < 0.2:
                assert_attributed(root, late, random.choice(MODELS))
        clock.sleep(10 * LATE)
        writer.derive()
        assert_attributed(root, late, random.choice(MODELS))
        writer.lake.compact_all()
        writer.close()
        assert_attributed(root, late, *MODELS)


def test_touches_are_bounded_and_what_is_gone_is_counted() -> None:
    """The oldest go first, for each table apart; a conversion whose click has gone says that nothing has its id."""
    small = replace(CONFIG, attribution=replace(CONFIG.attribution, max_size=1))
    line = '{}:443 192.0.2.{} - - [{} +0000] "GET {} HTTP/1.1" 200 43 "-" "Mozilla/5.0 (X11; Linux x86_64)"\n'

    def written(*asked: tuple[int, str]) -> dict[str, bytes]:
        at = dt.datetime.fromtimestamp(clock.now(), dt.UTC).strftime("%d/%b/%Y:%H:%M:%S")
        log = "".join(line.format("shop.example.com", client, at, target) for client, target in asked)
        logs["a"] = logs.get("a", b"") + log.encode()
        return logs

    with tempfile.TemporaryDirectory() as folder:
        root, clock, logs = Path(folder) / "lake", ManualClock(START), dict[str, bytes]()
        writer = Writer(root, clock, config=small)
        writer.commit(written((1, "/click?ad=1&id=i1"), (2, "/imp?ad=1&id=i2")))
        clock.sleep(3 * LATE)
        writer.commit(written((3, "/conv?id=i1")))
        clock.sleep(10)
        assert_attributed(root, set())
        assert [row[:2] for row in _reasons(root)] == [("click_id", "")]
        clock.sleep(3 * LATE)
        writer.commit(written((4, "/")))
        assert writer.derive()
        assert writer.lake.expire()
        evicted = dict(writer.lake.state.evicted)
        assert evicted == {"touches": 1, "touches_shown": 1}
        assert not any(part.rollup in evicted for part in writer.lake.state.parts)
        writer.commit(written((5, "/conv?id=i1")))
        assert _reasons(root) == [("none", "unknown_id")] * 2
        writer.close()
        with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as db:
            assert dict(db.execute('SELECT rollup, "rows" FROM evicted').fetchall()) == evicted


def _reasons(root: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as db:
        return db.execute("SELECT via, reason FROM paths ORDER BY ts").fetchall()
