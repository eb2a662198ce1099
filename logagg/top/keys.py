"""Which key does what: the table behind the help, the documentation, and `actions`.

Where GoAccess, htop, k9s and lnav agree on a key, it is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Group = Literal["Page", "Window", "Panels", "Rows"]


@dataclass(frozen=True, slots=True)
class Key:
    """Some keys, the action that each does, and what the help says of it."""

    keys: tuple[str, ...]
    action: str
    text: str
    group: Group
    argument: int = 0
    short: str = ""  # in the last line of the screen

    @property
    def names(self) -> str:
        return " ".join(_NAMES.get(key, key) for key in self.keys)


_NAMES = {
    "space": "Space",
    "escape": "Esc",
    "enter": "Enter",
    "backspace": "Backspace",
    "tab": "Tab",
    "shift+tab": "Shift-Tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    **{f"f{number}": f"F{number}" for number in range(1, 13)},
    **{f"ctrl+{letter}": f"Ctrl-{letter.upper()}" for letter in "bcfl"},
}

KEYS = (
    Key(("?", "h", "f1"), "help", "this help", "Page", short="help"),
    Key(("q", "f10", "ctrl+c"), "quit", "quit", "Page", short="quit"),
    Key(("space",), "pause", "pause, or follow again", "Page", short="pause"),
    Key(("c",), "compare", "compare with the window before, a week ago, a year ago", "Page", short="compare"),
    Key(("b",), "bots", "all, people, robots", "Page", short="people"),
    Key(("d",), "split", "the chart by kind, by status class, latency", "Page"),
    Key(("u",), "zone", "UTC or local time", "Page"),
    Key(("y",), "sql", "the SQL of the panel; y again copies it", "Page", short="SQL"),
    Key(("!",), "trouble", "what the light says, and the tails", "Page"),
    Key(("f5", "ctrl+l"), "reload", "ask again", "Page"),
    Key(("t", "w"), "window", "menu of windows", "Window", short="window"),
    Key(("T",), "custom", "from and to", "Window"),
    Key(("[",), "shift", "the window before", "Window", -1),
    Key(("]",), "shift", "the window after", "Window", 1),
    Key(("z",), "zoom", "the middle half of the window", "Window", 1),
    Key(("Z",), "zoom", "a window twice as long", "Window", -1),
    Key(("tab",), "panel", "next panel", "Panels", 1, short="next panel"),
    Key(("shift+tab",), "panel", "panel before", "Panels", -1),
    Key(("left",), "beside", "panel at the left", "Panels", -1),
    Key(("right",), "beside", "panel at the right", "Panels", 1),
    *(Key((str(number),), "number", "panel of this number", "Panels", number) for number in range(1, 10)),
    Key(("o", "+", "-"), "expand", "more rows, or fewer", "Panels"),
    Key(("f",), "full", "the panel alone, with all measures; f again leads back", "Panels", short="full"),
    Key(("s", "f6"), "sort", "menu of what it is sorted by", "Panels", short="sort"),
    Key(("m", ">"), "measure", "sort by the next measure", "Panels", 1),
    Key(("M", "<"), "measure", "sort by the measure before", "Panels", -1),
    Key(("r", "I"), "reverse", "smallest first, or largest", "Panels"),
    Key(("/", "f3", "f4"), "search", "search in the panel", "Panels", short="search"),
    Key(("down", "j"), "row", "next row", "Rows", 1),
    Key(("up", "k"), "row", "row before", "Rows", -1),
    Key(("pagedown", "ctrl+f"), "page", "a page down", "Rows", 1),
    Key(("pageup", "ctrl+b"), "page", "a page up", "Rows", -1),
    Key(("home", "g"), "row", "first row", "Rows", -1_000_000),
    Key(("end", "G"), "row", "last row", "Rows", 1_000_000),
    Key(("enter",), "pick", "filter by the values of the row; of a request: its line", "Rows", short="filter"),
    Key(("a",), "also", "one more value, beside that of the filter", "Rows"),
    Key(("x",), "exclude", "any value but this one", "Rows", short="exclude"),
    Key(("v", "l"), "requests", "the requests of the row", "Rows", short="requests"),
    Key(("escape", "backspace"), "back", "undo the last step: a search, a filter, a window", "Rows", short="back"),
    Key(("~",), "flip", "turn the last filter: is, is not", "Rows"),
    Key(("\\",), "clear", "clear all filters", "Rows"),
)
BY_KEY: Mapping[str, Key] = {name: key for key in KEYS for name in key.keys}

MOUSE = (
    ("click on a row", "choose it; again, or twice: filter by it"),
    ("Ctrl and click", "one more value"),
    ("Alt and click, right click", "exclude the value"),
    ("click on the head of a column", "sort by it; again: the other order"),
    ("click on the name of a panel", "choose it; again: the panel alone"),
    ("click on a number at the top", "how it was counted, with its SQL"),
    ("click on a filter", "is becomes is not; on its × it goes"),
    ("drag over the chart", "the window is what you dragged over; a double click doubles it"),
)


def listed() -> list[Key]:
    """Return the entries for people: the numbers as one."""
    found = [one for one in KEYS if one.action != "number"]
    place = next(place for place, one in enumerate(KEYS) if one.action == "number")
    return [*found[:place], Key(("1 … 9",), "number", "panel of this number", "Panels"), *found[place:]]
