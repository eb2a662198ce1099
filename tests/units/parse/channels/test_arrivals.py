"""Channels by the tables of rules and lists: referrer and query -> channel, source, medium, campaign."""

from __future__ import annotations

import pytest

from logagg.config.channels import ChannelRule, ClickId
from logagg.config.sections import Channels as ChannelConfig
from logagg.config.sections import Config, Limits
from logagg.parse.channels.arrivals import REMEMBERED, UNTAGGED, Channels
from tests.units.parse.channels.arrived import arrived

GOOGLE, FB = "https://www.google.com/", "https://l.facebook.com/"
TABLE: list[tuple[str, str, tuple[str, str, str]]] = [
    ("", "", ("Direct", "", "")),
    ("-", "", ("Direct", "", "")),
    ("no address", "", ("Direct", "", "")),
    ("about:blank", "", ("Direct", "", "")),
    ("https://blog.example.org/a?b=c", "", ("Referral", "blog.example.org", "referral")),
    ("https://www.blog.example.org/", "", ("Referral", "blog.example.org", "referral")),
    ("http://192.0.2.1:8080/", "", ("Referral", "192.0.2.1", "referral")),
    ("https://[2001:db8::1]/", "", ("Referral", "[2001:db8::1]", "referral")),
    ("https://example.com/", "", ("Internal", "example.com", "referral")),
    ("https://help.shop.example.com/", "", ("Internal", "help.shop.example.com", "referral")),
    ("https://example.com/", "utm_source=mail&utm_medium=email", ("Email", "mail", "email")),
    # Lists: search engines
    (GOOGLE, "", ("Organic Search", "Google", "organic")),
    ("https://www.google.co.uk/search?q=tea", "", ("Organic Search", "Google", "organic")),
    ("https://google.de/", "", ("Organic Search", "Google", "organic")),
    ("https://GOOGLE.COM/", "", ("Organic Search", "Google", "organic")),
    ("android-app://com.google.android.googlequicksearchbox/", "", ("Organic Search", "Google", "organic")),
    ("https://docs.google.com/", "", ("Referral", "docs.google.com", "referral")),
    ("https://google.com.evil.example/", "", ("Referral", "google.com.evil.example", "referral")),
    ("https://notgoogle.com/", "", ("Referral", "notgoogle.com", "referral")),
    ("https://www.bing.com/", "", ("Organic Search", "Bing", "organic")),
    ("https://de.bing.com/", "", ("Organic Search", "Bing", "organic")),
    ("https://duckduckgo.com/", "", ("Organic Search", "DuckDuckGo", "organic")),
    ("https://yandex.ru/", "", ("Organic Search", "Yandex", "organic")),
    ("https://uk.search.yahoo.com/", "", ("Organic Search", "Yahoo!", "organic")),
    ("https://search.brave.com/", "", ("Organic Search", "Brave", "organic")),
    # Social networks, video, shops, mail
    (FB, "", ("Organic Social", "Facebook", "referral")),
    ("https://m.facebook.com/", "", ("Organic Social", "Facebook", "referral")),
    ("android-app://com.facebook.katana/", "", ("Organic Social", "Facebook", "referral")),
    ("https://t.co/abc", "", ("Organic Social", "X", "referral")),
    ("https://old.reddit.com/r/tea", "", ("Organic Social", "Reddit", "referral")),
    ("https://news.ycombinator.com/", "", ("Organic Social", "Hacker News", "referral")),
    ("https://www.youtube.com/", "", ("Organic Video", "YouTube", "referral")),
    ("https://www.tiktok.com/", "", ("Organic Video", "TikTok", "referral")),
    ("https://www.amazon.co.jp/", "", ("Organic Shopping", "Amazon", "referral")),
    ("https://www.etsy.com/", "", ("Organic Shopping", "Etsy", "referral")),
    ("https://mail.google.com/", "", ("Email", "Gmail", "email")),
    # Assistants
    ("https://chatgpt.com/", "", ("AI Assistants", "ChatGPT", "referral")),
    ("", "utm_source=chatgpt.com", ("AI Assistants", "ChatGPT", "referral")),
    ("https://www.perplexity.ai/", "", ("AI Assistants", "Perplexity", "referral")),
    ("https://claude.ai/", "", ("AI Assistants", "Claude", "referral")),
    ("https://gemini.google.com/", "", ("AI Assistants", "Gemini", "referral")),
    ("https://copilot.microsoft.com/", "", ("AI Assistants", "Copilot", "referral")),
    # Spam
    ("http://semalt.com/", "", ("Spam", "semalt.com", "referral")),
    ("http://free.semalt.com/x", "utm_source=a", ("Spam", "a", "")),
    # Tags
    ("", "utm_source=newsletter&utm_medium=email", ("Email", "newsletter", "email")),
    ("", "utm_source=Newsletter&utm_medium=E-Mail", ("Email", "newsletter", "e-mail")),
    (GOOGLE, "utm_source=newsletter&utm_medium=email", ("Email", "newsletter", "email")),
    ("", "utm_source=google&utm_medium=cpc", ("Paid Search", "Google", "cpc")),
    ("", "utm_source=google&utm_medium=cpm", ("Paid Search", "Google", "cpm")),
    ("", "utm_source=example&utm_medium=cpm", ("Display", "example", "cpm")),
    ("", "utm_source=facebook&utm_medium=paid_social", ("Paid Social", "Facebook", "paid_social")),
    ("", "utm_source=fb&utm_medium=paid", ("Paid Social", "Facebook", "paid")),
    ("", "utm_source=youtube&utm_medium=cpv", ("Paid Video", "YouTube", "cpv")),
    ("", "utm_source=youtube&utm_medium=cpc", ("Paid Video", "YouTube", "cpc")),
    ("", "utm_source=amazon&utm_medium=cpc", ("Paid Shopping", "Amazon", "cpc")),
    ("", "utm_source=partner&utm_medium=ppc", ("Paid Other", "partner", "ppc")),
    ("", "utm_source=partner&utm_medium=ppc&utm_campaign=shop-spring", ("Paid Shopping", "partner", "ppc")),
    ("", "utm_source=partner&utm_campaign=workshop", ("Unassigned", "partner", "")),
    ("", "utm_source=partner&utm_campaign=my+eshop", ("Organic Shopping", "partner", "")),
    ("", "utm_source=partner&utm_medium=retargeting", ("Paid Other", "partner", "retargeting")),
    ("", "utm_source=partner&utm_medium=banner", ("Display", "partner", "banner")),
    ("", "utm_source=x&utm_medium=y&utm_campaign=2026-Cross-Network", ("Cross-network", "X", "y")),
    ("", "utm_source=partner&utm_medium=social-media", ("Organic Social", "partner", "social-media")),
    ("", "utm_source=partner&utm_medium=video", ("Organic Video", "partner", "video")),
    ("", "utm_source=partner&utm_medium=organic", ("Organic Search", "partner", "organic")),
    ("", "utm_source=partner&utm_medium=affiliate", ("Affiliates", "partner", "affiliate")),
    ("", "utm_source=partner&utm_medium=app", ("Referral", "partner", "app")),
    ("", "utm_source=podcast&utm_medium=audio", ("Audio", "podcast", "audio")),
    ("", "utm_source=sms", ("SMS", "sms", "")),
    ("", "utm_source=app&utm_medium=web-push", ("Mobile Push", "app", "web-push")),
    ("", "utm_source=firebase&utm_medium=x", ("Mobile Push", "firebase", "x")),
    ("", "utm_source=partner&utm_medium=leaflet", ("Unassigned", "partner", "leaflet")),
    ("", "utm_source=partner", ("Unassigned", "partner", "")),
    ("", "utm_medium=email", ("Email", "", "email")),
    ("", "utm_campaign=spring", ("Unassigned", "", "")),
    ("", "utm_source=", ("Direct", "", "")),
    ("", "xutm_source=a", ("Direct", "", "")),
    ("", "mtm_source=partner&mtm_medium=ppc", ("Paid Other", "partner", "ppc")),
    ("", "utm_source=two%20words&utm_medium=e+mail", ("Email", "two words", "e mail")),
    # Click ids
    ("", "gclid=abc", ("Paid Search", "Google", "cpc")),
    (GOOGLE, "gbraid=abc", ("Paid Search", "Google", "cpc")),
    ("", "wbraid=abc&x=y", ("Paid Search", "Google", "cpc")),
    ("", "gclid=", ("Direct", "", "")),
    ("", "dclid=abc", ("Display", "DoubleClick", "cpm")),
    ("", "msclkid=abc", ("Paid Search", "Bing", "cpc")),
    ("", "fbclid=abc", ("Organic Social", "Facebook", "social")),
    (FB, "fbclid=abc", ("Organic Social", "Facebook", "social")),
    ("", "ttclid=abc", ("Paid Video", "TikTok", "cpc")),
    ("", "twclid=abc", ("Paid Social", "X", "cpc")),
    ("", "li_fat_id=abc", ("Paid Social", "LinkedIn", "cpc")),
    ("", "mc_cid=abc", ("Email", "Mailchimp", "email")),
    ("", "utm_source=google&gclid=abc", ("Paid Search", "Google", "cpc")),
    ("", "utm_source=newsletter&fbclid=abc", ("Unassigned", "newsletter", "")),
    ("", "utm_source=newsletter&utm_medium=email&fbclid=abc", ("Email", "newsletter", "email")),
    ("", "utm_medium=cpc&gclid=abc", ("Paid Search", "Google", "cpc")),
    ("", "fbclid=a&gclid=b", ("Paid Search", "Google", "cpc")),
]


@pytest.mark.parametrize(("referrer", "query", "expected"), TABLE)
def test_channel(referrer: str, query: str, expected: tuple[str, str, str]) -> None:
    assert arrived(referrer, query)[:3] == expected


def test_rules_of_ones_own_come_first() -> None:
    rules = (
        ChannelRule("Partners", host=("partner.example.org",)),
        ChannelRule("Brand", source=("goo*",), medium=("CPC",), campaign=("brand*", "name")),
        ChannelRule("Clicks", click_id=("fbclid",)),
        ChannelRule("Shop", site=("shop.example.com",), source=("semalt.com",)),
    )
    config = Config(channel_rules=rules)
    assert arrived("https://www.partner.example.org/x", config=config).channel == "Partners"
    assert arrived("https://eu.partner.example.org/x", "gclid=1", config=config).channel == "Partners"
    assert arrived("https://nopartner.example.org/x", config=config).channel == "Referral"
    assert arrived("", "gclid=1&utm_campaign=Brand+2", config)[:3] == ("Brand", "Google", "cpc")
    assert arrived("", "gclid=1&utm_campaign=other", config).channel == "Paid Search"
    assert arrived("", "fbclid=1", config)[:3] == ("Clicks", "Facebook", "social")
    assert arrived("http://semalt.com/", "", config).channel == "Shop"
    assert arrived("http://semalt.com/", "", config, site="www.example.com").channel == "Spam"


def test_parameters_can_be_others() -> None:
    config = Config(channels=ChannelConfig(("src",), (), ("c",), (ClickId("k", "My Network", "cpc"),)))
    assert arrived("", "src=a&utm_medium=email&c=spring", config) == ("Unassigned", "a", "", "spring")
    assert arrived("", "k=1&gclid=2", config)[:3] == ("Paid Other", "My Network", "cpc")
    assert arrived("", "gclid=2", Config(channels=ChannelConfig((), (), (), ()))).channel == "Direct"


def test_values_are_bounded() -> None:
    found = arrived("https://" + "a" * 300 + ".example.org/", config=Config(limits=Limits(value=10)))
    assert found.referrer_source == "a" * 10
    found = arrived("", "utm_source=" + "b" * 300 + "&utm_campaign=" + "c" * 300, Config(limits=Limits(value=10)))
    assert (found.referrer_source, found.campaign) == ("b" * 10, "c" * 10)


def test_control_characters_of_a_source_are_blanks() -> None:
    assert arrived("", "utm_source=a%0Ab%09").referrer_source == "a b"


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    channels = Channels()
    for number in range(2 * REMEMBERED):
        channels.arrival("shop.example.com", f"{number}.example.org", UNTAGGED)
    assert channels.arrival.cache_info().currsize == REMEMBERED
