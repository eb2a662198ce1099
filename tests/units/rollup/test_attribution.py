"""Attribution as SQL, compared with an oracle that looks at all touches before each conversion."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from logagg.lake_format import MODELS
from logagg.rollup import attribution
from logagg.rollup.attribution import Windows
from tests import attribution_oracle as oracle
from tests.attribution_oracle import SECOND, Event

DAY, START = 86_400, 1_772_409_600
WINDOWS = Windows()


@pytest.fixture
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 2")
        yield connection


def at(seconds: float) -> int:
    return round((START + seconds) * SECOND)


def event(kind: str, seconds: float, visitor: int = 1, **others: Any) -> Event:
    made = Event(at(seconds), kind, visitor, **others)
    return replace(made, position=abs(hash(made)) % 10**9)


def requests(events: Sequence[Event]) -> pa.Table:
    """Return the requests of events; the columns that most logs lack are null where they are empty."""
    optional = ("click_id", "order_id", "currency", "referrer_source")
    rows = [{**asdict(one), **{name: getattr(one, name) or None for name in optional}} for one in events]
    types = {
        "ts": pa.timestamp("us", "UTC"),
        "visitor": pa.uint64(),
        "position": pa.int64(),
        "value_micros": pa.int64(),
    }
    names = list(Event.__dataclass_fields__)
    schema = pa.schema([(name, types.get(name, pa.bool_() if name == "is_bot" else pa.string())) for name in names])
    return pa.Table.from_pylist(rows, schema)


def paths(db: duckdb.DuckDBPyConnection, events: Sequence[Event], windows: Windows = WINDOWS) -> list[dict[str, Any]]:
    """Return what SQL makes of events."""
    db.register("requests", requests(events))
    touch = attribution.touches("requests")
    query = attribution.paths(
        attribution.conversions("requests"), touch, "(SELECT '' AS site, '' AS order_id WHERE false)", windows
    )
    db.execute(f"CREATE OR REPLACE TEMP TABLE paths AS FROM {query}")
    return db.sql("FROM paths").to_arrow_table().to_pylist()


def seen(rows: Sequence[dict[str, Any]]) -> dict[object, object]:
    names = ("is_bot", "invalid", "via", "reason", "seconds")
    return {
        (row["source"], row["position"]): (
            *(row[name] for name in names),
            [tuple(one.values())[1:] for one in row["path"]],
        )
        for row in rows
    }


def expected(found: Sequence[oracle.Path]) -> dict[object, object]:
    return {
        (path.conversion.source, path.conversion.position): (
            *(path.is_bot, path.invalid, path.via, path.reason, path.seconds),
            [(t.kind, t.campaign, t.ad, t.placement, t.channel or "", t.referrer_source) for t in path.touches],
        )
        for path in found
    }


def traffic(random: random.Random, count: int, span: float) -> list[Event]:
    """Return requests of few visitors and ids, so that they meet in all ways; many are within seconds of each other."""
    made, moment = list[Event](), 0.0
    most = random.choice([3, count // 5])  # visitors, and ids
    for position in range(count):
        moment += random.choice([0, 1, 10, 29, 30, 31, 600, 1799, 1800, 3600, span / count, 2 * span / count])
        kind = random.choice(["impression", "impression", "click", "click", "conversion", "pageview", "pageview"])
        known = random.choice(["", "", str(random.randrange(most))])
        others: dict[str, Any] = {}
        if kind == "pageview":
            others["channel"] = random.choice([None, "Direct", "Direct", "Internal", "Organic Search", "Paid Search"])
            others["referrer_source"] = "Google" if others["channel"] in ("Organic Search", "Paid Search") else ""
        if kind == "conversion":
            others["order_id"] = random.choice(["", "x", "y", f"o{position}"])
            others["value_micros"] = random.choice([None, 0, 5_000_000, 12_345_678])
        if kind != "pageview":
            others |= {"id": known, "ad": random.choice(["1", "2"])}
        made.append(
            Event(
                at(moment),
                kind,
                random.choice([1, random.randrange(most)]),
                position,
                random.choice("st"),
                random.choice(["a", "a", "b"]),
                is_bot=random.random() < 0.1,
                click_id=random.choice(["", "", "", f"g{random.randrange(most)}", "1"]),
                campaign=random.choice(["", "spring", "autumn"]),
                **others,
            )
        )
    random.shuffle(made)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("count", "span"), [(40, 3 * 3600), (150, 4 * DAY), (150, 200 * DAY), (600, 40 * DAY)])
def test_any_traffic_gives_the_paths_of_the_oracle(
    db: duckdb.DuckDBPyConnection, seed: int, count: int, span: float
) -> None:
    events = traffic(random.Random(seed), count, span)
    assert seen(paths(db, events)) == expected(oracle.paths(events))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("model", MODELS)
def test_credits_add_up_and_are_those_of_the_oracle(db: duckdb.DuckDBPyConnection, seed: int, model: str) -> None:
    events = traffic(random.Random(seed), 300, 20 * DAY)
    found = oracle.paths(events)
    paths(db, events)
    credits = attribution.credits("paths", f"'{model}'")
    rows = db.sql(f"SELECT source, position, credit FROM {credits} ORDER BY step").fetchall()
    by_conversion: dict[object, list[int]] = {}
    for source, position, credit in rows:
        by_conversion.setdefault((source, position), []).append(credit)
    wanted = {(p.conversion.source, p.conversion.position): oracle.credits(p, model) or [1_000_000] for p in found}
    assert by_conversion == wanted
    assert {sum(some) for some in by_conversion.values()} == {1_000_000}


@pytest.mark.parametrize("seed", range(6))
def test_clicks_have_the_impressions_of_the_oracle(db: duckdb.DuckDBPyConnection, seed: int) -> None:
    events = traffic(random.Random(seed), 300, 10 * DAY)
    db.register("requests", requests(events))
    match = attribution.matches(attribution.touches("requests"), "'-infinity'::TIMESTAMPTZ", Windows())
    found = {row[:2]: row[2] for row in db.sql(f"SELECT source, position, reason FROM {match}").fetchall()}
    assert found == {(k.source, k.position): reason for k, reason in oracle.matches(events)}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [1, 3, 9])
def test_the_places_of_watermarks_make_no_difference(db: duckdb.DuckDBPyConnection, seed: int, steps: int) -> None:
    """Each step sees the touches that steps before it kept, and its own requests: together they make the paths of all."""
    events = traffic(chance := random.Random(seed), 300, 80 * DAY)
    windows, times = Windows(), sorted(one.ts for one in events)
    cuts = [0, *sorted(chance.choice(times) for _ in range(steps)), times[-1] + 1]
    found, orders, kept = dict[object, object](), list[tuple[str, str]](), None
    for start, end in zip(cuts, cuts[1:], strict=False):
        db.register("requests", requests([one for one in events if start <= one.ts < end]))
        some = attribution.touches("requests")
        touch = attribution.joined(*(["kept"] if kept is not None else []), some)
        db.register("orders", pa.table({"site": [a for a, _ in orders], "order_id": [b for _, b in orders]}))
        query = attribution.paths(attribution.conversions("requests"), touch, "orders", windows)
        rows = db.sql(f"FROM {query}").to_arrow_table().to_pylist()
        found |= seen(rows)
        orders = [*orders, *((row["site"], row["order_id"]) for row in rows if not row["invalid"])] or [("", "")]
        ages = " OR ".join(
            f"kind = '{kind}' AND epoch_us(ts) >= {end - round(age * SECOND)}" for kind, age in windows.kept.items()
        )
        kept = db.sql(f"FROM {touch} WHERE {ages}").to_arrow_table()
        db.register("kept", kept)
    assert found == expected(oracle.paths(events))


def test_random_traffic_has_all_ways_and_reasons() -> None:
    found = [path for seed in range(40) for path in oracle.paths(traffic(random.Random(seed), 80, 400 * DAY))]
    assert {path.via for path in found} == {"click_id", "click", "view", "none"}
    assert {path.reason for path in found} == {"", "outside_window", "direct", "unknown_id", "robot", "no_touch"}
    assert {path.invalid for path in found} == {"", "robot", "duplicate"}
