"""Generated logs: requests of a few people and robots to a few sites, in any order, with some lines of garbage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

START = dt.datetime(2026, 3, 2, 23, 55, tzinfo=dt.UTC)  # near midnight, so that a log has two days

FORMATS = {
    "plain": "combined",
    "sites": "vhost-combined",
    "timed": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time',
}
# Whether an agent is a robot is stated here by hand, independently of the package's list.
AGENTS = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0": False,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": False,
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": True,
    "curl/8.5.0": True,
    "-": True,
}
CLIENTS = ("192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::5")
SITES = ("www.example.com", "shop.example.com")
PAGES = ("/", "/tea", "/cups?color=blue&size=2", "/cups?color=red", "/old", "/%C3%A9t%C3%A9", "/a.b/c")
ASSETS = ("/site.css", "/logo.png?v=2")
REFERRERS = (
    "-",
    "https://www.example.com/tea",
    "https://shop.example.com/",
    "https://www.google.com/search?q=tea",
    "http://example.com/cups",
)
QUERIES = (
    "",
    "?campaign=spring&ad=1&placement=top",
    "?campaign=spring&ad=1&placement=side",
    "?utm_campaign=autumn&ad=2",
    "?ad=a%20b&campaign=%C3%A9",
)
METHODS = ("GET", "GET", "GET", "GET", "POST", "HEAD")
STATUSES = (200, 200, 200, 200, 204, 301, 302, 304, 404, 500)
NO_LINES = (
    "garbage",
    "\\x16\\x03\\x01",
    '192.0.2.1 - - [31/Feb/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8.5.0"',
    '192.0.2.1 - - [02/Mar/2026:00:00:00 +0000] "GET / HTTP/1.1" 2xx 5 "-" "curl/8.5.0"',
    '192.0.2.1 - - [02/Mar/2026:00:00:00 +0000] "GET / HT',
    '<script>alert("</script>") [[[',
)
EMPTY = ("", "\r")
# Values of an overflowed counter, and values just below that or below a bound.
SIZES = (
    2**50,
    2**50 - 1,
    2**50 + 1,
    10**18 - 1,
    10**18,
    2**63 - 1,
    2**63,
    2**64,
    10**400,
    "-1",
    "+5",
    "12.0",
    "12.5",
    "007",
    "5e3",
    "1e308",
    "nan",
    "0x1F",
)
TIMES_TAKEN: tuple[str, ...] = (
    "604800",
    "604800.000",
    "604800.001",
    "604799.999999999",
    "9" * 18,
    "9" * 40,
    "0" * 50,
    "1e308",
    "1e999",
    "-1",
    "-0.001",
    "4e-05",
    "nan",
    "inf",
    "0.000000001",
)
TIMES_TAKEN += ("0.1", "0.2", "0.3", "86400.001", "-")  # tenths are not exact in base two


@dataclass(frozen=True)
class Request:
    """One request, which can be written in any format."""

    second: int  # after START
    client: str
    agent: str
    target: str
    method: str = "GET"
    status: int = 200
    referrer: str = "-"
    size: int | str | None = 43
    site: str = SITES[0]
    took: str = "0.012"
    end: str = ""  # "\\r" if a Windows tool has edited the log

    def line(self, form: str) -> str:
        time = (START + dt.timedelta(seconds=self.second)).strftime("%d/%b/%Y:%H:%M:%S +0000")
        size = "-" if self.size is None else self.size
        before = f"{self.site}:443 " if form == "sites" else ""
        after = f" {self.took}" if form == "timed" else ""
        request = f'"{self.method} {self.target} HTTP/1.1" {self.status} {size}'
        return f'{before}{self.client} - - [{time}] {request} "{self.referrer}" "{self.agent}"{after}{self.end}'


def _requests(targets: st.SearchStrategy[str], seconds: st.SearchStrategy[int]) -> st.SearchStrategy[Request]:
    return st.builds(
        Request,
        second=seconds,
        client=st.sampled_from(CLIENTS),
        agent=st.sampled_from(list(AGENTS)),
        target=targets,
        method=st.sampled_from(METHODS),
        status=st.sampled_from(STATUSES),
        referrer=st.sampled_from(REFERRERS),
        size=st.sampled_from([None, 0, 43, 1234, 10**9]) | st.sampled_from(SIZES),
        site=st.sampled_from(SITES),
        took=st.sampled_from(["0.000", "0.012", "1.5", "60.001"]) | st.sampled_from(TIMES_TAKEN),
        end=st.sampled_from(["", "", "", "\r"]),
    )


# Clicks are remembered for ten minutes before the newest event of their log: within that time the order does not matter.
_MINUTES = st.integers(0, 590) | st.integers(0, 59).map(lambda tens: tens * 10)
_PAST = st.integers(-3 * 86_400, -86_400)
_CLICKS = st.builds(
    Request,
    second=_MINUTES,
    client=st.sampled_from(CLIENTS[:2]),
    agent=st.sampled_from(list(AGENTS)[:3]),
    target=st.sampled_from([f"/click{query}" for query in QUERIES]),
    status=st.sampled_from([302, 302, 302, 200, 404]),
)
_TRACKING = _requests(
    st.sampled_from([path + query for path in ("/imp", "/pixel.gif", "/conv") for query in QUERIES]), _MINUTES
)
_VIEWS = _requests(st.sampled_from([*PAGES, *ASSETS]), _MINUTES | _PAST)
_NONE = st.sampled_from([*NO_LINES, *EMPTY])

LOGS = st.lists(st.one_of(_CLICKS, _CLICKS, _TRACKING, _VIEWS, _VIEWS, _NONE), min_size=1, max_size=40)


def written(log: Sequence[Request | str], form: str, name: str = "first") -> list[str]:
    """Return the lines of a log in a format.

    The first line is a request, since its format identifies the log, and it is unique to this log: no two generations
    of a real log begin alike.
    """
    first = Request(0, CLIENTS[0], "curl/8.5.0", f"/{name}")
    return [one if isinstance(one, str) else one.line(form) for one in (first, *log)]


def is_robot(agent: str) -> bool:
    return AGENTS[agent or "-"]
