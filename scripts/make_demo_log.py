"""Write the demo logs: three days of two sites, with people, robots, errors, advertising, and two rotations.

Most of it is by chance; `demo_journeys` is not. The same seed gives the same bytes: `python scripts/make_demo_log.py fixtures/demo`.
"""

from __future__ import annotations

import gzip
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo_journeys import JOURNEYS

DAYS = [datetime(2026, 3, day, tzinfo=UTC) for day in (2, 3, 4)]
VISITS = 330  # by people, a day
BROWSERS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
]
ROBOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "curl/8.5.0",
]
SITES = {
    "www.example.com": [
        "/",
        "/articles/tea.html",
        "/articles/bread.html",
        "/articles/rain.html",
        "/articles/maps.html",
        "/about",
        "/search",
    ],
    "shop.example.com": ["/", "/kettles", "/kettles/copper", "/kettles/steel", "/cups", "/cart", "/checkout"],
}
ASSETS = ["/static/site.css", "/static/site.js", "/static/logo.svg", "/favicon.ico"]
LOST = ["/old-page", "/wp-login.php", "/.env", "/articles/gone.html"]
CAMPAIGNS = {
    "spring-tea": (0.05, ["11", "12"]),
    "copper-sale": (0.09, ["21", "22", "23"]),
    "newsletter": (0.02, ["31"]),
}
OUTSIDE = [
    "-",
    "-",
    "https://www.google.com/",
    "https://duckduckgo.com/",
    "https://news.example.net/today?item=7",
    "https://t.co/aB3",
]


class Day:
    """The requests of one day, gathered in any order."""

    def __init__(self, start: datetime, chance: random.Random) -> None:
        self.start, self.chance = start, chance
        self.lines: list[tuple[float, str]] = []

    def request(
        self,
        second: float,
        who: tuple[str, str],
        site: str,
        target: str,
        referrer: str = "-",
        *,
        method: str = "GET",
        status: int = 200,
    ) -> None:
        if second >= 86_400:
            return
        address, agent = who
        size = 0 if status in (204, 302, 304) or method == "HEAD" else self.chance.randint(43, 40_000)
        seconds = self.chance.lognormvariate(-4.2 if "/static" in target else -2.6, 0.8) * (
            4 if target.startswith("/search") else 1
        )
        time = (self.start + timedelta(seconds=int(second))).strftime("%d/%b/%Y:%H:%M:%S +0000")
        self.lines.append(
            (
                second,
                f'{site} {address} - - [{time}] "{method} {target} HTTP/1.1" {status} {size} "{referrer}" "{agent}" {seconds:.3f}\n',
            )
        )

    def hour(self) -> float:
        """Return a second of the day; evenings are busier than nights."""
        hour = self.chance.choices(
            range(24), [2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 8, 9, 9, 8, 8, 9, 10, 12, 14, 15, 13, 9, 5]
        )[0]
        return hour * 3600 + self.chance.random() * 3600

    def visit(self, who: tuple[str, str]) -> None:
        """A person comes from somewhere, looks at some pages, sees advertising and sometimes follows it."""
        site = self.chance.choice(list(SITES))
        second, referrer = self.hour(), self.chance.choice(OUTSIDE)
        for _ in range(1 + int(self.chance.expovariate(0.6))):
            page = self.chance.choice(SITES[site])
            target = f"{page}?q=%C3%A9t%C3%A9+{self.chance.randint(1, 9)}" if page == "/search" else page
            self.request(
                second, who, site, target, referrer, status=self.chance.choices([200, 304, 500], [94, 5, 1])[0]
            )
            referrer = f"https://{site}{page}"
            if self.chance.random() < 0.5:
                self.request(
                    second + 0.4,
                    who,
                    site,
                    self.chance.choice(ASSETS),
                    referrer,
                    status=self.chance.choice([200, 200, 304]),
                )
            self.advertise(second + 1, who, site, referrer)
            second += self.chance.expovariate(1 / 40)
        if self.chance.random() < 0.04:
            self.request(second, who, site, self.chance.choice(LOST), status=404)

    def advertise(self, second: float, who: tuple[str, str], site: str, page: str) -> None:
        campaign, (rate, ads) = self.chance.choice(list(CAMPAIGNS.items()))
        query = f"campaign={campaign}&ad={self.chance.choice(ads)}&placement={self.chance.choice(['top', 'side'])}"
        self.request(
            second, who, site, f"/imp?{query}", page, status=self.chance.choices([200, 204, 404], [60, 38, 2])[0]
        )
        if self.chance.random() < rate:
            self.request(second + 4, who, site, f"/click?{query}", page, status=302)
            if self.chance.random() < 0.3:
                self.request(second + 5, who, site, f"/click?{query}", page, status=302)
            if self.chance.random() < 0.2:
                self.request(second + 200, who, site, f"/conversion?{query}", page, method="POST", status=204)

    def crawl(self, who: tuple[str, str]) -> None:
        site, second = self.chance.choice(list(SITES)), self.hour()
        for page in self.chance.sample([*SITES[site], *LOST, "/robots.txt"], 7):
            lost = page in LOST
            self.request(
                second, who, site, page, method="HEAD" if "curl" in who[1] else "GET", status=404 if lost else 200
            )
            second += self.chance.uniform(1, 20)

    def journeys(self) -> None:
        for last, (agent, steps) in JOURNEYS.items():
            for day, time, site, target, referrer, status in steps:
                if day == self.start.day:
                    hours, minutes, seconds = map(int, time.split(":"))
                    method = "POST" if agent.startswith("python") else "GET"
                    self.request(
                        hours * 3600 + minutes * 60 + seconds,
                        (f"192.0.2.{last}", agent),
                        site,
                        target,
                        referrer,
                        method=method,
                        status=status,
                    )

    def written(self) -> bytes:
        return "".join(line for _, line in sorted(self.lines)).encode()


def days(seed: int = 2) -> Iterator[bytes]:
    chance = random.Random(seed)
    people = [(f"203.0.113.{n % 250}", BROWSERS[chance.randrange(len(BROWSERS))]) for n in range(500)]
    robots = [(f"198.51.100.{n}", agent) for n, agent in enumerate(ROBOTS)]
    for start in DAYS:
        day = Day(start, chance)
        for _ in range(VISITS):
            day.visit(chance.choice(people))
        for _ in range(30):
            day.crawl(chance.choice(robots))
        day.chance = random.Random(seed)  # so that other journeys change nothing else
        day.journeys()
        yield day.written()


def main(folder: Path) -> None:
    first, second, third = days()
    # A line of each kind that real logs have now and then: a TLS handshake on a plain port, and one cut by a full disk.
    odd = b'www.example.com 192.0.2.66 - - [04/Mar/2026:23:59:58 +0000] "\\x16\\x03\\x01\\x02" 400 157 "-" "-" 0.000\nwww.exam\n'
    (folder / "access.log.2.gz").write_bytes(gzip.compress(first, mtime=0))
    (folder / "access.log.1").write_bytes(second)
    (folder / "access.log").write_bytes(third + odd)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
