"""Client hints (`Sec-CH-UA` and its companions), for agents that say less than they know.

Chromium has reduced its agents: each brand of it calls itself Chrome, on one of a few systems. Where a log has the hints,
the brand is the browser, and the platform the system; the agent still decides about robots.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pyarrow as pa

from logagg.columnar.encoded import EncodedText
from logagg.columnar.slices import Codes

HINTS = ("brands", "platform", "mobile")
REMEMBERED = 1 << 14

_REDUCED = re.compile(r"Chrom(?:e|ium)/[0-9]+\.0\.0\.0\b")
_BRAND = re.compile(r'"((?:[^"\\]|\\.){1,64})"\s*;\s*v=')
_NOT_BROWSERS = re.compile(
    r"(?i)chromium|not.{0,3}a.{0,3}brand|(?=.*[^\w .-])"
)  # made-up brands have odd signs in them
_BROWSERS = {  # by brand, as ua-parser calls them, on a computer and on a telephone
    "Google Chrome": ("Chrome", "Chrome Mobile"),
    "Microsoft Edge": ("Edge", "Edge Mobile"),
    "Opera": ("Opera", "Opera Mobile"),
    "YaBrowser": ("Yandex Browser", "Yandex Browser"),
    "Yandex": ("Yandex Browser", "Yandex Browser"),
    "Android WebView": ("Chrome Mobile WebView", "Chrome Mobile WebView"),
}
_SYSTEMS = {"macos": "Mac OS X", "chromium os": "Chrome OS", "chromeos": "Chrome OS"}
_KNOWN_SYSTEMS = ("Windows", "Android", "Linux", "iOS", "Chrome OS", "Fuchsia")


def refined(agents: EncodedText, facts: pa.Table, hints: Mapping[str, EncodedText]) -> tuple[Codes, pa.Table]:
    """Return the facts of agents with what the hints add, and for each row the number of its facts.

    `facts` are those of the values of `agents`.
    """
    parts = [agents, *(hints[name] for name in HINTS if name in hints)]
    codes = parts[0].codes.astype(np.int64)
    for part in parts[1:]:
        codes = codes * len(part.values) + part.codes
    _, example, numbers = np.unique(codes, return_index=True, return_inverse=True)
    said = {name: hints[name].values.take(pa.array(hints[name].codes[example])).to_pylist() for name in hints}
    chosen = facts.take(pa.array(agents.codes[example]))
    texts = agents.values.take(pa.array(agents.codes[example])).to_pylist()
    rows = [
        _with_hints(fact, text or "", *(said[name][row] if name in said else "" for name in HINTS))
        for row, (fact, text) in enumerate(zip(chosen.to_pylist(), texts, strict=True))
    ]
    return numbers.astype(np.int32), pa.Table.from_pylist(rows, schema=facts.schema)


def _with_hints(fact: dict[str, object], agent: str, brands: str, platform: str, mobile: str) -> dict[str, object]:
    if fact["is_bot"] or not _REDUCED.search(agent):
        return fact
    on_telephone = mobile == "?1"
    system = _system(platform) or fact["os"]
    device = "mobile" if on_telephone else "tablet" if system == "Android" and mobile == "?0" else fact["device"]
    if fact["device"] in ("tv", "console"):
        device = fact["device"]
    browser = _browser(brands, telephone=device in ("mobile", "tablet")) or fact["browser"]
    return fact | {"browser": browser, "os": system, "device": device}


@lru_cache(REMEMBERED)
def _browser(brands: str, *, telephone: bool) -> str:
    """Return the browser whose brand the hint names; empty if it names none but Chromium."""
    named = [brand for brand in _BRAND.findall(brands) if not _NOT_BROWSERS.match(brand)]
    if not named:
        return ""
    brand = next((one for one in named if one != "Google Chrome"), named[0])
    return _BROWSERS[brand][telephone] if brand in _BROWSERS else brand


def _system(platform: str) -> str:
    name = platform.strip(' "')
    return name if name in _KNOWN_SYSTEMS else _SYSTEMS.get(name.lower(), "")
