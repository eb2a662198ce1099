"""Each key does one thing that exists; the help and the documentation have all of them."""

from __future__ import annotations

from collections import Counter

from logagg.top.actions import Actions
from logagg.top.keys import BY_KEY, HINTS, HINTS_OF_REQUESTS, KEYS, listed
from logagg.top.spans import plain
from logagg.top.texts import help_of


def test_each_key_does_one_thing_that_exists() -> None:
    assert not [name for name, count in Counter(name for key in KEYS for name in key.keys).items() if count > 1]
    assert not [key.action for key in KEYS if not hasattr(Actions, f"do_{key.action}")]
    assert len(BY_KEY) > 50


def test_the_help_has_all_of_them() -> None:
    for wide in (80, 200):
        text = "\n".join(plain(line) for line in help_of(wide).lines)
        assert all(one.names in text and one.text in text for one in listed())


def test_keys_that_goaccess_htop_k9s_and_lnav_agree_on() -> None:
    agreed = {"q": "quit", "?": "help", "f1": "help", "f10": "quit", "j": "row", "k": "row", "g": "row", "G": "row"}
    agreed |= {
        "tab": "panel",
        "shift+tab": "panel",
        "s": "sort",
        "f6": "sort",
        "/": "search",
        "enter": "pick",
        "o": "expand",
    }
    agreed |= {"space": "pause", "escape": "back", "1": "number", "pageup": "page", "ctrl+f": "page", "I": "reverse"}
    assert {key: BY_KEY[key].action for key in agreed} == agreed


def test_hints_are_keys() -> None:
    assert {key for key, _ in (*HINTS, *HINTS_OF_REQUESTS)} <= BY_KEY.keys()
