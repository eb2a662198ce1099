"""A real nginx under a real load: the counts equal the requests, during the load and at the end."""

from __future__ import annotations

import http.client
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Command, wait_until
from tests.nginx import Load, Nginx

pytestmark = pytest.mark.slow

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
IMPRESSION = "/imp?campaign={}&ad={}&placement=top"
CLICK = "/click?campaign={}&ad={}"
TOTALS = """
    SELECT (SELECT coalesce(sum(hits), 0) FROM traffic)::BIGINT, (SELECT coalesce(sum(views), 0) FROM pages)::BIGINT,
        (SELECT coalesce(sum(impressions), 0) FROM ads)::BIGINT, (SELECT coalesce(sum(clicks + clicks_dup), 0) FROM ads)::BIGINT,
        (SELECT coalesce(sum(hits), 0) FROM errors)::BIGINT, (SELECT coalesce(sum(lines), 0) FROM rejects)::BIGINT"""


class Client:
    """Sends requests over one connection and counts them, as the expected result."""

    def __init__(self, nginx: Nginx) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=20)
        self.sent: Counter[tuple[str, int, bool]] = Counter()  # target, status, robot

    def send(self, target: str, agent: str = BROWSER) -> None:
        self._connection.request("GET", target, headers={"User-Agent": agent})
        answer = self._connection.getresponse()
        answer.read()
        self.sent[target, answer.status, agent == ROBOT] += 1

    def number(self, start: str, status: int | None = None) -> int:
        return sum(
            number
            for (target, answered, _), number in self.sent.items()
            if target.startswith(start) and status in (None, answered)
        )

    @property
    def totals(self) -> tuple[int, ...]:
        """Return hits, views, impressions, clicks, errors, rejects, as nginx's test configuration answers each target."""
        tracked = self.number("/imp"), self.number("/click")
        errors = self.number("/missing", 404)
        return self.sent.total(), self.sent.total() - sum(tracked) - errors, *tracked, errors, 0

    def close(self) -> None:
        self._connection.close()


def mix(client: Client, chance: random.Random, number: int) -> None:
    """Send a mix of pages, errors, impressions and clicks by a person and a robot."""
    for _ in range(number):
        target = chance.choice(["/", "/tea", "/tea?cup=2", "/missing", "imp", "imp", "click"])
        ad, campaign = chance.randrange(4), chance.choice(["spring", "autumn"])
        target = {"imp": IMPRESSION, "click": CLICK}.get(target, target).format(campaign, ad)
        client.send(target, chance.choice([BROWSER, BROWSER, ROBOT]))


def test_each_request_of_a_known_mix_is_counted_under_its_key(nginx: Nginx, logagg: Command) -> None:
    nginx.start()
    client, chance = Client(nginx), random.Random(7)
    client.send("/")
    tail = logagg.start("tail", "-q", "--flush", "0.2", nginx.logs)
    try:
        for _ in range(4):
            mix(client, chance, 150)
            wait_until(
                lambda: (logagg.lake / "logagg.duckdb").exists() and logagg.read(TOTALS)[0] == client.totals, tail
            )
    finally:
        client.close()
        tail.terminate()
        assert tail.wait(60) == 0
    assert logagg.read(TOTALS) == [client.totals]
    assert_counted(logagg, client)


def assert_counted(logagg: Command, client: Client) -> None:
    """Compare by path, by ad and by robot."""
    views, ads, robots = Counter[tuple[object, ...]](), Counter[tuple[object, ...]](), Counter[bool]()
    for (target, status, robot), number in client.sent.items():
        path, _, query = target.partition("?")
        robots[robot] += number
        if path in ("/imp", "/click"):
            given = dict(pair.split("=") for pair in query.split("&"))
            ads[given["campaign"], given["ad"], path == "/click"] += number
        elif status == 200:
            views[path, robot] += number
    found = logagg.read("SELECT path, is_bot, sum(views)::BIGINT FROM pages GROUP BY ALL HAVING sum(views) > 0")
    assert {row[:2]: row[2] for row in found} == views
    found = logagg.read(
        "SELECT campaign, ad, is_click, sum(number)::BIGINT FROM (SELECT campaign, ad, false AS is_click, impressions AS number FROM ads "
        "UNION ALL SELECT campaign, ad, true, clicks + clicks_dup FROM ads) GROUP BY ALL HAVING sum(number) > 0"
    )
    assert {row[:3]: row[3] for row in found} == ads
    assert dict(logagg.read("SELECT is_bot, sum(hits)::BIGINT FROM traffic GROUP BY ALL")) == robots


SCRIPT = """
local targets = { "/", "/tea", "/missing", "/imp?campaign=c&ad=1&placement=top", "/imp?campaign=c&ad=2", "/click?campaign=c&ad=1" }
local sent = 0
request = function()
    sent = sent + 1
    return wrk.format("GET", targets[sent % #targets + 1])
end
"""


def test_a_load_with_rotations_is_counted_to_the_last_line(
    nginx: Nginx, load: Load, logagg: Command, tmp_path: Path
) -> None:
    nginx.start(access_log=f"{nginx.log} combined buffer=32k flush=200ms")
    script = tmp_path / "mix.lua"
    script.write_text(SCRIPT)
    tail = logagg.start("tail", "-q", "--flush", "0.5", nginx.logs)
    try:
        running = load.start(nginx.url, seconds=4, script=str(script))
        wait_until(lambda: (logagg.lake / "logagg.duckdb").exists() and logagg.lines() > 0, tail)
        for number in range(2, 0, -1):
            seen = logagg.lines()
            nginx.log.rename(nginx.logs / f"access.log.{number}")
            nginx.reopen()
            wait_until(lambda seen=seen: logagg.lines() > seen or running.poll() is not None, tail)  # type: ignore[misc]
        answered = load.finish(running)
        nginx.stop()
        logged = [line for path in sorted(nginx.logs.glob("access.log*")) for line in path.read_text().splitlines()]
        wait_until(lambda: logagg.lines() == len(logged), tail)
    finally:
        tail.terminate()
        assert tail.wait(60) == 0
    assert answered <= len(logged) <= answered + 8, "wrk does not count the requests in progress at its end"
    targets = Counter(line.split('"')[1].split()[1] for line in logged)
    clicks, impressions = (
        sum(n for target, n in targets.items() if target.startswith(start)) for start in ("/click", "/imp")
    )
    missing = targets["/missing"]
    views = len(logged) - clicks - impressions - missing
    assert logagg.read(TOTALS) == [(len(logged), views, impressions, clicks, missing, 0)]
