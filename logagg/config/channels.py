"""`[[channel]]` and `[channels]`: the user's rules, and the parameters of links that name their source."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from typing import Any, NamedTuple

from logagg.config.toml import Location, converted, refuse_unknown
from logagg.config.types import text, texts

CLICK_IDS = (
    "gclid Google cpc",
    "gbraid Google cpc",
    "wbraid Google cpc",
    "dclid DoubleClick cpm",
    "msclkid Bing cpc",
    "yclid Yandex cpc",
    "ttclid TikTok cpc",
    "twclid X cpc",
    "li_fat_id LinkedIn cpc",
    "rdt_cid Reddit cpc",
    "ScCid Snapchat cpc",
    "epik Pinterest cpc",
    "fbclid Facebook social",
    "igshid Instagram social",
    "igsh Instagram social",
    "srsltid Google organic",
    "mc_cid Mailchimp email",
    "mc_eid Mailchimp email",
    "_kx Klaviyo email",
    "_hsenc HubSpot email",
    "irclickid Impact affiliate",
    "awc Awin affiliate",
    "cjevent CJ affiliate",
)
MOST_CLICK_IDS = 200


class ClickId(NamedTuple):
    """A parameter that an ad network, a shop or a mailer adds to links, with the source and medium that it stands for."""

    parameter: str
    source: str
    medium: str


def click_ids(value: object) -> tuple[ClickId, ...]:
    """Return click ids from texts with three parts: a parameter, its source (which may have blanks), its medium."""
    found = []
    for one in texts(value):
        words = one.split()
        if len(words) < 3 or "=" in words[0] or "&" in words[0]:
            raise ValueError('write a parameter, its source and its medium, as in "gclid Google cpc"')
        found.append(ClickId(words[0], " ".join(words[1:-1]), words[-1].lower()))
    if len(found) > MOST_CLICK_IDS:
        raise ValueError(f"write at most {MOST_CLICK_IDS} of them")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """One `[[channel]]`: the channel of arrivals that meet all its conditions; a condition is met by any of its values."""

    channel: str
    site: tuple[str, ...] = ()
    host: tuple[str, ...] = ()  # hosts of the referring page, and hosts below them
    source: tuple[str, ...] = ()  # patterns with * and ?, in small letters or capitals, like medium and campaign
    medium: tuple[str, ...] = ()
    campaign: tuple[str, ...] = ()
    click_id: tuple[str, ...] = ()  # names of parameters

    def matches(self, site: str, host: str, source: str, medium: str, campaign: str, click_id: str) -> bool:
        """Return whether an arrival meets all conditions."""
        return (
            (not self.site or site in self.site)
            and (not self.host or any(host == one or host.endswith(f".{one}") for one in self.host))
            and _fits(self.source, source)
            and _fits(self.medium, medium)
            and _fits(self.campaign, campaign)
            and (not self.click_id or click_id in self.click_id)
        )


def _fits(patterns: tuple[str, ...], value: str) -> bool:
    return not patterns or any(_compiled(one).match(value) for one in patterns)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern), re.IGNORECASE)


def _hosts(value: object) -> tuple[str, ...]:
    hosts = tuple(one.strip().lower().removeprefix("*.").removeprefix("www.") for one in texts(value))
    if any(not one or re.search(r"[/:*\s]", one) for one in hosts):
        raise ValueError('write hosts without scheme and path, such as "partner.example.com"')
    return hosts


def _name(value: object) -> str:
    if not (name := text(value).strip()) or len(name) > 64 or not name.isprintable():
        raise ValueError("write a name of 1 to 64 characters")
    return name


_KEYS: Mapping[str, Callable[[object], Any]] = {
    "channel": _name,
    "site": lambda value: tuple(one.lower() for one in texts(value)),
    "host": _hosts,
    "source": texts,
    "medium": texts,
    "campaign": texts,
    "click_id": texts,
}


def read_channel(place: Location, table: Mapping[str, Any]) -> ChannelRule:
    """Return one `[[channel]]`. Raises ConfigError."""
    refuse_unknown(place, table, _KEYS)
    values = {key: converted(place, key, _KEYS[key], table[key]) for key in _KEYS if key in table}
    if "channel" not in values:
        raise place.error("channel", "is missing", 'write channel = "Partners"')
    if not any(values.get(key) for key in _KEYS if key != "channel"):
        conditions = ", ".join(key for key in _KEYS if key not in ("channel", "host"))
        raise place.error("host", "the rule would match every entry", f'write host = "example.com", or {conditions}')
    return ChannelRule(**values)
