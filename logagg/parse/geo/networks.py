"""The class of a network: of a large one by its number, of others by the words in its organization's name.

A guess that may be wrong for a single network, and is right for most requests: a few hundred networks carry most of them.
A name that says nothing gives no class.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

# Patterns of RE2 over names, the first that matches.
_WORDS = (
    (
        "education",
        r"(?i)\b(?:universi\w+|college|school|academ\w+|education\w*|polytechnic\w*|campus|institut\w* of technology)\b",
    ),
    (
        "government",
        r"(?i)\b(?:government|ministry|ministerio|municipal\w*|federal|military|parliament|state of|county of|city of)\b",
    ),
    (
        "hosting",
        r"(?i)(?:host(?:ing|er|ers|s)?\b|\bcloud|cloud\b|data ?-?cent(?:er|re)|\bservers?\b|server(?:s|hub)?\b|\bvps\b|\bvpn\b|coloc\w*|\bcolo\b|dedicated|"
        r"\bcdn\b|content delivery|rackspace|\bamazon\b|\baws\b|azure|\bgoogle\b)",
    ),
    (
        "isp",
        r"(?i)(?:tele ?com|telekom|telco|t[eé]l[eé]f[oó]n|telephone|telia\b|telenor|vodafone|\borange\b|comcast|verizon|at&t|broadband|bredband|breitband|"
        r"\bcable\b|cabo\b|fiber|fibre|fibra|wireless|\bmobile?\b|movil|m[oó]vil|cellular|\bgsm\b|\bdsl\b|\bisp\b|internet|provedor|"
        r"\bnet(?:work)? ?com\b|communicat|comunica|kommunikation|virgin media|\bnetcologne\b)",
    ),
)


def of_numbers(numbers: pa.Array) -> pa.Array:
    """Return the class of networks by their numbers, such as AS64496; empty for those that are not listed."""
    listed = _listed()
    return pa.array([listed.get(one, "") for one in numbers.to_pylist()], pa.string())


def of_names(names: pa.Array) -> pa.Array:
    """Return the class of networks by their organizations; empty where the name does not tell."""
    found = pa.array([""] * len(names), pa.string())
    for kind, pattern in reversed(_WORDS):
        found = pc.if_else(pc.match_substring_regex(names, pattern), kind, found)
    return found


@cache
def _listed() -> Mapping[str, str]:
    text = Path(__file__).with_name("networks.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {f"AS{number}": kind for number, kind, _ in rows}
