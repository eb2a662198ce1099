"""The journeys of the demo logs, whose answers are known: what brought each order, by every model, and what visits were.

`scripts/demo_journeys.py` tells each journey by the last part of its address.
"""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

from tests.conftest import ROOT, Command

DEMO = ROOT / "fixtures/demo"

# By order: via, reason, seconds since the last touch that is not direct, value, the touches (kind, campaign, ad, channel).
ANSWERS = {
    "1001": (
        *("click_id", "", 250, "59.9"),
        [("landing", "", "", "Organic Search"), ("click", "spring-tea", "11", "Display")],
    ),
    "1002": ("click_id", "", 57_720, "120", [("landing", "copper-sale", "", "Paid Search")]),
    "1003": (
        *("click", "", 79_440, "30"),
        [("landing", "newsletter", "", "Email"), ("landing", "", "", "Organic Search"), ("direct", "", "", "Direct")],
    ),
    "1004": ("view", "", 29_038, "45.5", [("impression", "copper-sale", "22", "")]),
    "1005": ("none", "no_touch", None, "15", []),
    "1006": ("none", "direct", None, "80", [("direct", "", "", "Direct")]),
    "1007": ("none", "outside_window", None, "9.9", []),
    "1008": ("none", "unknown_id", None, "22", []),
    "1009": ("click", "", 300, "65", [("landing", "", "", "Paid Search")]),
    "1010": ("click_id", "", 5, "5", [("click", "copper-sale", "21", "")]),
    "1011": ("click", "", 600, "12.3", [("click", "newsletter", "31", "Email")]),
}
INVALID = {("1009", "duplicate"), ("1010", "robot")}
# By model, the credits of the touches of the two orders that have more than one.
CREDITS = {
    "last_non_direct": ([0, 1_000_000], [0, 1_000_000, 0]),
    "last": ([0, 1_000_000], [0, 0, 1_000_000]),
    "first": ([1_000_000, 0], [1_000_000, 0, 0]),
    "linear": ([500_000, 500_000], [333_333, 333_333, 333_334]),
    "position": ([500_000, 500_000], [400_000, 200_000, 400_000]),
    "time_decay": ([499_994, 500_006], [290_652, 338_588, 370_760]),
}
# Clicks without an impression: by address, why.
CLICKS = {"13": "no_id", "14": "impression_expired"}


def test_what_brought_each_order(demo: Command) -> None:
    touch = "list_transform(path, lambda t: (t.kind, t.campaign, t.ad, t.channel))"
    rows = demo.read(
        f"SELECT order_id, via, reason, seconds, value_micros / 1e6, {touch} FROM paths "
        "WHERE order_id <> '' AND invalid <> 'duplicate'"
    )
    assert {order: (*rest[:3], f"{rest[3]:g}", rest[4]) for order, *rest in rows} == ANSWERS
    assert set(demo.read("SELECT order_id, invalid FROM paths WHERE invalid <> ''")) == INVALID
    for model, credits in CREDITS.items():
        found = demo.read(
            f"SELECT order_id, list(credit ORDER BY step) FROM credits('{model}') "
            "WHERE order_id <> '' AND invalid <> 'duplicate' GROUP BY order_id"
        )
        several = dict(zip(("1001", "1003"), credits, strict=True))
        assert dict(found) == {order: several.get(order, [1_000_000]) for order in ANSWERS}, model


def test_what_was_matched_and_what_counts(demo: Command) -> None:
    clicks = "FROM matches WHERE reason <> '' AND ts IN (SELECT ts FROM requests WHERE {client})"
    journeys = "campaign IN ('newsletter', 'spring-tea') AND (placement = 'mail' OR id = 'd14')"
    found = demo.read(f"SELECT reason, sum(clicks)::BIGINT {clicks.format(client=journeys)} GROUP BY ALL ORDER BY ALL")
    assert found == sorted((why, 1) for why in CLICKS.values())
    reasons = demo.read("SELECT reason, sum(events)::BIGINT FROM unmatched WHERE kind = 'conversion' GROUP BY ALL")
    assert dict(reasons) == {why: 1 for _, why, *_ in ANSWERS.values() if why}
    [counted] = demo.read(
        "SELECT sum(gross)::BIGINT, sum(invalid)::BIGINT, sum(conversions)::BIGINT, sum(gross_micros) / 1e6, sum(value_micros) / 1e6 "
        "FROM attribution WHERE currency = 'EUR'"
    )
    net = sum(float(value) for order, (_, _, _, value, _) in ANSWERS.items() if order != "1010")
    assert counted == (12, 2, 10, round(net + 5 + 65, 2), round(net, 2))


def test_the_visits_of_the_journeys(logagg: Command) -> None:
    """Of their lines alone, since visits and funnels do not say whose they are."""
    days = gzip.decompress((DEMO / "access.log.2.gz").read_bytes()).decode()
    days += "".join((DEMO / name).read_text() for name in ("access.log.1", "access.log"))
    log = logagg.folder / "access.log"
    log.write_text("".join(re.findall(r"^\S+ 192\.0\.2\.\d+ .*HTTP/1\.1.*\n", days, re.MULTILINE)))
    logagg.run("tail", "--once", "-q", "--config", DEMO / "logagg.toml", log)
    names = ("visits", "bounces", "views", "seconds", "conversions", "new")
    sums = ", ".join(f"sum({name})::BIGINT" for name in names)
    assert logagg.read(f"SELECT site, channel, is_bot, {sums} FROM visits GROUP BY ALL ORDER BY ALL") == VISITS
    flows = "SELECT from_path, to_path, sum(hits)::BIGINT AS n FROM flows WHERE from_path <> '' AND to_path <> '' GROUP BY ALL"
    assert set(logagg.read(flows)) == FLOWS
    steps = _report(logagg, "funnel", "/kettles", "/cart", "/checkout")
    assert [(step["visits"], step["of_first"]) for step in steps] == [(4, 1.0), (1, 0.25), (1, 0.25)]
    people = _report(logagg, "funnel", "/cart", "/checkout", "--site", "shop.example.com", "--bots", "exclude")
    assert [(step["visits"], step["visitors"]) for step in people] == [(5, 5), (4, 4)]


# Site, channel, is_bot: visits, bounces, views, seconds, conversions, new.
VISITS = [
    ("shop.example.com", "", False, 3, 0, 2, 120, 3, 3),  # 7, 9, 10: nothing came from elsewhere
    ("shop.example.com", "", True, 2, 0, 0, 0, 2, 2),  # 12, and the shop's server
    ("shop.example.com", "Direct", False, 5, 0, 10, 1320, 5, 4),  # 4, the last of 5, 6, 8, 13
    ("shop.example.com", "Display", False, 1, 0, 4, 218, 0, 1),  # 1
    ("shop.example.com", "Email", False, 1, 1, 1, 0, 0, 1),  # the first of 5
    ("shop.example.com", "Organic Search", False, 1, 0, 2, 300, 0, 0),  # the second of 5
    ("shop.example.com", "Paid Search", False, 2, 0, 3, 420, 2, 2),  # 3, 11
    ("www.example.com", "", False, 2, 1, 1, 0, 0, 2),  # 6, 14
    ("www.example.com", "", True, 1, 0, 0, 0, 0, 1),  # 12
    ("www.example.com", "Organic Search", False, 1, 0, 1, 20, 0, 1),  # 1
]
FLOWS = {
    ("/", "/cart", 1),
    ("/cart", "/checkout", 4),
    ("/cups", "/kettles", 1),
    ("/kettles", "/kettles/copper", 1),
    ("/kettles/copper", "/cart", 1),
    ("/kettles/copper", "/kettles/steel", 1),
    ("/kettles/steel", "/cart", 1),
}


def _report(logagg: Command, *words: str) -> Any:
    return json.loads(logagg.run("report", *words, "--json").stdout)
