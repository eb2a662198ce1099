"""The channel for a source, medium and campaign, by the default channel groups of Google Analytics 4, in their order.

One group is added after Organic Search: AI Assistants. The first group that fits decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from logagg.parse.channels.sources import AI, EMAIL, SEARCH, SHOPPING, SOCIAL, VIDEO

DIRECT, REFERRAL, INTERNAL, SPAM, UNASSIGNED = "Direct", "Referral", "Internal", "Spam", "Unassigned"

_PAID = re.compile(r".*cp.*|ppc|retargeting|paid.*", re.DOTALL)
_SHOP = re.compile(r"(?:.*[^a-df-z])?shop.*|.*shopping.*", re.DOTALL)
_DISPLAY = ("display", "banner", "expandable", "interstitial", "cpm")
_SOCIAL = ("social", "social-network", "social-media", "sm", "social network", "social media")
_EMAIL = ("email", "e-mail", "e_mail", "e mail")

Group = Callable[[str, str, str, str], bool]  # arguments: category, source, medium and campaign, in lower case


def _paid(wanted: str) -> Group:
    return lambda category, source, medium, campaign: category == wanted and _PAID.fullmatch(medium) is not None


_GROUPS: Mapping[str, Group] = {
    "Cross-network": lambda category, source, medium, campaign: "cross-network" in campaign,
    "Paid Shopping": lambda category, source, medium, campaign: (
        (category == SHOPPING or _SHOP.fullmatch(campaign) is not None) and _PAID.fullmatch(medium) is not None
    ),
    "Paid Search": _paid(SEARCH),
    "Paid Social": _paid(SOCIAL),
    "Paid Video": _paid(VIDEO),
    "Display": lambda category, source, medium, campaign: medium in _DISPLAY,
    "Paid Other": lambda category, source, medium, campaign: _PAID.fullmatch(medium) is not None,
    "Organic Shopping": lambda category, source, medium, campaign: (
        category == SHOPPING or _SHOP.fullmatch(campaign) is not None
    ),
    "Organic Social": lambda category, source, medium, campaign: category == SOCIAL or medium in _SOCIAL,
    "Organic Video": lambda category, source, medium, campaign: category == VIDEO or "video" in medium,
    "Organic Search": lambda category, source, medium, campaign: category == SEARCH or medium == "organic",
    "AI Assistants": lambda category, source, medium, campaign: category == AI,
    "Email": lambda category, source, medium, campaign: category == EMAIL or source in _EMAIL or medium in _EMAIL,
    "Affiliates": lambda category, source, medium, campaign: medium in ("affiliate", "affiliates"),
    REFERRAL: lambda category, source, medium, campaign: medium in ("referral", "app", "link"),
    "Audio": lambda category, source, medium, campaign: medium == "audio",
    "SMS": lambda category, source, medium, campaign: "sms" in (source, medium),
    "Mobile Push": lambda category, source, medium, campaign: (
        medium.endswith("push") or "mobile" in medium or "notification" in medium or source == "firebase"
    ),
}
NAMES = (*_GROUPS, DIRECT, INTERNAL, SPAM, UNASSIGNED)


def group_of(category: str, source: str, medium: str, campaign: str) -> str:
    """Return the channel of an arrival with a source or a medium."""
    source, medium, campaign = source.lower(), medium.lower(), campaign.lower()
    return next(
        (name for name, fits in _GROUPS.items() if fits(category, source, medium, campaign)),
        UNASSIGNED,
    )
