"""Decides on the source, medium and channel of an arrival.

Tags of the link (`utm_source` and so on) come first, then its click id, then the referring page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from logagg.config.channels import ChannelRule, ClickId
from logagg.parse.channels.groups import DIRECT, INTERNAL, SPAM, group_of
from logagg.parse.channels.sources import EMAIL, SEARCH, Source, sources

REMEMBERED = 1 << 14  # combinations of site, referring host and tags whose arrivals are kept between batches
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


class Tags(NamedTuple):
    """The tags in the query of a link; each may be empty."""

    source: str = ""
    medium: str = ""
    campaign: str = ""
    click_id: str = ""  # the name of its parameter; the value is not needed


class Arrival(NamedTuple):
    """The facts about an entry: where it comes from."""

    channel: str
    referrer_source: str
    medium: str


UNTAGGED = Tags()


@dataclass(frozen=True, slots=True)
class _Origin:
    """A source with its category, and its medium: that depends on whether a tag, a click id or a referrer names the source."""

    name: str = ""
    category: str = ""
    medium: str = ""


_NOWHERE = _Origin()


class Channels:
    """Decides on arrivals, and remembers the most recent ones. Thread-safe."""

    def __init__(self, rules: Sequence[ChannelRule] = (), click_ids: Sequence[ClickId] = (), limit: int = 256) -> None:
        self._rules = rules
        self._limit = limit  # characters of a value, at most
        self._click_ids = {one.parameter: one for one in click_ids}
        self.arrival = lru_cache(REMEMBERED)(self._arrival)

    def _arrival(self, site: str, host: str, tags: Tags) -> Arrival:
        """Return the arrival at a site by a link with tags on a page of a host; without a referrer, `host` is empty."""
        said, clicked, referring = self._said(tags), self._clicked(tags), _referring(host)
        origin = next((one for one in (said, clicked, referring) if one.name), _NOWHERE)
        medium = (tags.medium or self._medium(origin, clicked, referring)).lower()
        said_of = (site, host, origin.name, medium, tags.campaign, tags.click_id)
        own = (rule.channel for rule in self._rules if rule.matches(*said_of))
        channel = next(own, "") or _channel(site, host, tags, origin, medium)
        return Arrival(*(text[: self._limit] for text in (channel, origin.name, medium)))

    def _said(self, tags: Tags) -> _Origin:
        if not tags.source:
            return _NOWHERE
        name = _CONTROLS.sub(" ", tags.source).strip()
        known = sources().called(name)
        return _of(known) if known else _Origin(name.lower())

    def _clicked(self, tags: Tags) -> _Origin:
        found = self._click_ids.get(tags.click_id)
        if found is None:
            return _NOWHERE
        known = sources().called(found.source)
        return _Origin(known.name if known else found.source, known.category if known else "", found.medium)

    def _medium(self, origin: _Origin, clicked: _Origin, referring: _Origin) -> str:
        """Return the medium of a link without a tag for it: from the click id or referrer, if that names the same source."""
        return next((one.medium for one in (clicked, referring) if one.name == origin.name), origin.medium)


def _of(source: Source) -> _Origin:
    medium = {SEARCH: "organic", EMAIL: "email"}.get(source.category, "referral")
    return _Origin(source.name, source.category, medium)


def _referring(host: str) -> _Origin:
    if not host:
        return _NOWHERE
    known = sources().of_host(host)
    return _of(known) if known else _Origin(host, "", "referral")


def _channel(site: str, host: str, tags: Tags, origin: _Origin, medium: str) -> str:
    if host and sources().is_spam(host):
        return SPAM
    if not origin.name and not medium and not tags.campaign:
        return DIRECT
    if tags == UNTAGGED and host and _are_related(site, host):
        return INTERNAL
    return group_of(origin.category, origin.name, medium, tags.campaign)


def _are_related(site: str, host: str) -> bool:
    """Return whether one host is below the other, such as shop.example.com and example.com."""
    site = site.removeprefix("www.")
    return "." in site and "." in host and (host.endswith(f".{site}") or site.endswith(f".{host}"))
