"""Sources from open lists: finds the source and its category by the host of a referring page, or by a name in a tag.

`more_sources.tsv` is ours, and comes first; `sources.tsv` and `spam.tsv`, hosts of referrer spam, are Matomo's.
`scripts/vendor_channels.py` updates those of Matomo.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

SEARCH, SOCIAL, AI, VIDEO, SHOPPING, EMAIL = CATEGORIES = ("search", "social", "ai", "video", "shopping", "email")
_LISTS = ("more_sources.tsv", "sources.tsv")
_LABELS = 8  # labels of a host that are compared, counted from its end
_COUNTRY = re.compile(r"[a-z]{2}")
_SECOND = frozenset({"com", "org", "net", "co", "it", "edu"})  # labels that may stand before a country: google.co.uk
_ANY = "{}"  # in a list: any country, as the first or last label


@dataclass(frozen=True, slots=True)
class Source:
    """A source of the lists."""

    name: str
    category: str


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources of the lists."""

    exact: dict[str, Source] = field(default_factory=dict)  # by host
    within: dict[str, Source] = field(default_factory=dict)  # by host, for hosts below it as well
    named: dict[str, Source] = field(default_factory=dict)  # by its name in tags, in lower case
    spam: frozenset[str] = frozenset()

    @classmethod
    def read(cls) -> Self:
        """Read the lists; if several sources have the same host, the first counts."""
        found = cls(spam=frozenset(host for (host,) in _rows("spam.tsv")))
        for name in _LISTS:
            for category, title, hosts, *names in _rows(name):
                source = Source(title, category)
                by_host = found.exact if category == SEARCH else found.within
                for host in hosts.split():
                    if host not in found.exact and host not in found.within:
                        by_host[host] = source
                for called in (title.lower(), *" ".join(names).split()):
                    found.named.setdefault(called, source)
        return found

    def of_host(self, host: str) -> Source | None:
        """Return the source of a host (lower case, without `www.`), if it is known."""
        for one in _patterns(host):
            if one in self.exact:
                return self.exact[one]
        for suffix in _suffixes(host):
            for one in _patterns(suffix):
                if one in self.within:
                    return self.within[one]
        return None

    def called(self, name: str) -> Source | None:
        """Return the source for a name in a tag, which may be the source's name or one of its hosts."""
        name = name.lower()
        return self.named.get(name) or self.of_host(name.removeprefix("www."))

    def is_spam(self, host: str) -> bool:
        """Return whether the list of referrer spam has a host, or one above it."""
        return any(one in self.spam for one in _suffixes(host))


@cache
def sources() -> Sources:
    """Return the sources of the lists, read once."""
    return Sources.read()


def _rows(name: str) -> Iterator[list[str]]:
    text = Path(__file__).with_name(name).read_text("utf-8")
    return (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))


def _suffixes(host: str) -> Iterator[str]:
    """Yield a host and the hosts above it."""
    labels = host.split(".")[-_LABELS:]
    yield host
    for start in range(1, len(labels) - 1):
        yield ".".join(labels[start:])


def _patterns(host: str) -> Iterator[str]:
    """Yield the forms of a host in lists: the host itself, and the host with any country."""
    yield host
    labels = host.split(".")
    if len(labels) < 2:
        return
    if _COUNTRY.fullmatch(labels[-1]):
        yield ".".join([*labels[:-1], _ANY])
        if len(labels) > 2 and labels[-2] in _SECOND:
            yield ".".join([*labels[:-2], _ANY])
    if len(labels) > 2 and _COUNTRY.fullmatch(labels[0]):
        yield ".".join([_ANY, *labels[1:]])
