"""Journeys in the demo logs, from an ad to an order, whose attribution is known: the answers are in `tests/e2e/test_journeys.py`.

Each is one client's; their addresses are in 192.0.2.0/24, and no others are.
"""

from __future__ import annotations

from typing import NamedTuple

WWW, SHOP = "www.example.com", "shop.example.com"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
PIXEL = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15"
ROBOT = "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"
SERVER = "python-requests/2.32.3"  # of the shop, which reports orders with the id of the click

ON_WWW, ON_SHOP, NOWHERE = f"https://{WWW}/", f"https://{SHOP}/", "-"
TEA = "campaign=spring-tea&ad=11&placement=top&id=d1"
LATER = "campaign=spring-tea&ad=12&placement=side&id=d14"
CRAWLED = "campaign=copper-sale&ad=21&placement=top&id=d10"
MAIL = "campaign=newsletter&ad=31&placement=mail"


class Step(NamedTuple):
    """One request of a journey."""

    day: int  # of March 2026
    time: str
    site: str
    target: str
    referrer: str = ON_SHOP
    status: int = 200


def order(number: int, value: str, more: str = "") -> str:
    """Return the request that reports an order."""
    return f"/conversion?order={number}&value={value}&currency=EUR{more}"


# By the last part of the address: the agent, and what it asks for. The comment says what brings the order.
JOURNEYS: dict[int, tuple[str, tuple[Step, ...]]] = {
    1: (  # an ad that is clicked; the shop's server (2) reports the order with the id of the click
        FIREFOX,
        (
            Step(2, "09:10:00", WWW, "/", "https://www.google.com/"),
            Step(2, "09:10:02", WWW, f"/imp?{TEA}", ON_WWW),
            Step(2, "09:10:20", WWW, f"/click?{TEA}", ON_WWW, 302),
            Step(2, "09:10:22", SHOP, "/kettles?click_id=d1&utm_source=tea-news&utm_medium=display", ON_WWW),
            Step(2, "09:12:00", SHOP, "/kettles/copper"),
            Step(2, "09:13:00", SHOP, "/cart"),
            Step(2, "09:14:00", SHOP, "/checkout"),
        ),
    ),
    2: (SERVER, (Step(2, "09:14:30", SHOP, order(1001, "59.90", "&click_id=d1"), NOWHERE, 204),)),
    3: (  # a click of Google's ads, on a telephone
        IPHONE,
        (
            Step(2, "20:00:00", SHOP, "/kettles/copper?gclid=G2&utm_campaign=copper-sale", "https://www.google.com/"),
            Step(2, "20:01:00", SHOP, "/kettles/steel"),
        ),
    ),
    4: (  # the order after it, at a desk, which repeats its id
        CHROME,
        (
            Step(3, "12:00:00", SHOP, "/cart", NOWHERE),
            Step(3, "12:01:00", SHOP, "/checkout"),
            Step(3, "12:02:00", SHOP, order(1002, "120", "&gclid=G2"), status=204),
        ),
    ),
    5: (  # a letter, a search, and an address that is typed: three touches of one visitor
        SAFARI,
        (
            Step(2, "08:00:00", SHOP, "/cups?utm_source=newsletter&utm_medium=email&utm_campaign=newsletter", NOWHERE),
            Step(3, "21:00:00", SHOP, "/cups", "https://duckduckgo.com/"),
            Step(3, "21:05:00", SHOP, "/kettles"),
            Step(4, "19:00:00", SHOP, "/cart", NOWHERE),
            Step(4, "19:02:00", SHOP, "/checkout"),
            Step(4, "19:04:00", SHOP, order(1003, "30"), status=204),
        ),
    ),
    6: (  # an ad that is seen, and not clicked
        PIXEL,
        (
            Step(3, "10:00:00", WWW, "/articles/tea.html", ON_WWW),
            Step(3, "10:00:02", WWW, "/imp?campaign=copper-sale&ad=22&placement=side&id=d6", ON_WWW, 204),
            Step(3, "18:00:00", SHOP, "/kettles/steel", NOWHERE),
            Step(3, "18:02:00", SHOP, "/cart"),
            Step(3, "18:03:00", SHOP, "/checkout"),
            Step(3, "18:04:00", SHOP, order(1004, "45.50"), status=204),
        ),
    ),
    7: (  # nothing that the log has
        FIREFOX,
        (Step(4, "11:00:00", SHOP, "/checkout"), Step(4, "11:01:00", SHOP, order(1005, "15"), status=204)),
    ),
    8: (  # an address that is typed
        CHROME,
        (
            Step(4, "12:00:00", SHOP, "/", NOWHERE),
            Step(4, "12:01:00", SHOP, "/cart"),
            Step(4, "12:02:00", SHOP, order(1006, "80"), status=204),
        ),
    ),
    9: (  # an ad that was seen too long ago
        FIREFOX,
        (
            Step(2, "15:00:00", WWW, "/imp?campaign=spring-tea&ad=12&placement=top&id=d9", ON_WWW),
            Step(4, "07:00:00", SHOP, order(1007, "9.90"), status=204),
        ),
    ),
    10: (  # a click that the log does not have
        IPHONE,
        (
            Step(3, "16:00:00", SHOP, "/checkout"),
            Step(3, "16:01:00", SHOP, order(1008, "22", "&gclid=G0"), status=204),
        ),
    ),
    11: (  # a click of Bing's ads; the page of thanks is loaded twice
        CHROME,
        (
            Step(3, "09:00:00", SHOP, "/kettles?msclkid=M11", "https://www.bing.com/"),
            Step(3, "09:05:00", SHOP, order(1009, "65"), status=204),
            Step(3, "09:06:00", SHOP, order(1009, "65"), status=204),
        ),
    ),
    12: (  # a robot that follows all links
        ROBOT,
        (
            Step(3, "03:00:00", WWW, f"/imp?{CRAWLED}", ON_WWW),
            Step(3, "03:00:05", WWW, f"/click?{CRAWLED}", ON_WWW, 302),
            Step(3, "03:00:10", SHOP, order(1010, "5", "&click_id=d10"), NOWHERE, 204),
        ),
    ),
    13: (  # a link in a letter, clicked twice
        FIREFOX,
        (
            Step(4, "08:30:00", SHOP, f"/click?{MAIL}", NOWHERE, 302),
            Step(4, "08:30:10", SHOP, f"/click?{MAIL}", NOWHERE, 302),
            Step(4, "08:30:12", SHOP, "/kettles?utm_source=newsletter&utm_medium=email", NOWHERE),
            Step(4, "08:40:00", SHOP, order(1011, "12.30"), status=204),
        ),
    ),
    14: (  # a click on an ad that was shown 34 hours before, in a tab that stayed open
        PIXEL,
        (
            Step(2, "10:00:00", WWW, f"/imp?{LATER}", ON_WWW),
            Step(3, "20:00:00", WWW, f"/click?{LATER}", ON_WWW, 302),
        ),
    ),
}
