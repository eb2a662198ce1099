"""The table of keys, from which the help, the documentation and `actions` are made.

A key on which GoAccess, htop, k9s and lnav agree has the same meaning here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Group = Literal["Page", "Window", "Panels", "Rows"]


@dataclass(frozen=True, slots=True)
class Key:
    """Some keys, the action of each, and the text of the help."""

    keys: tuple[str, ...]
    action: str
    text: str
    group: Group
    argument: int = 0

    @property
    def names(self) -> str:
        return " ".join(map(name_of, self.keys))


def name_of(key: str) -> str:
    return _NAMES.get(key, key)


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
    Key(("?", "h", "f1"), "help", "this help", "Page"),
    Key(("q", "f10", "ctrl+c"), "quit", "quit", "Page"),
    Key(("space",), "pause", "pause, or follow again", "Page"),
    Key(("c",), "compare", "compare with the window before, a week ago, a year ago", "Page"),
    Key(("b",), "bots", "all, people, robots", "Page"),
    Key(("d",), "split", "the chart by kind, by status class, latency", "Page"),
    Key(("e",), "model", "the next model of attribution: which touch a conversion is credited to", "Page"),
    Key(("u",), "zone", "UTC or local time", "Page"),
    Key(("y",), "sql", "the SQL of the panel; y again copies it", "Page"),
    Key(("!",), "trouble", "what the light says, and the tails", "Page"),
    Key(("A",), "alerts", "the alerts, what fires first", "Page"),
    Key(("f5", "ctrl+l"), "reload", "ask again", "Page"),
    Key(("t", "w"), "window", "menu of windows", "Window"),
    Key(("T",), "custom", "from and to", "Window"),
    Key(("[",), "shift", "the window before", "Window", -1),
    Key(("]",), "shift", "the window after", "Window", 1),
    Key(("z",), "zoom", "the middle half of the window", "Window", 1),
    Key(("Z",), "zoom", "a window twice as long", "Window", -1),
    Key(("tab",), "panel", "next panel", "Panels", 1),
    Key(("shift+tab",), "panel", "panel before", "Panels", -1),
    Key(("left",), "beside", "panel at the left", "Panels", -1),
    Key(("right",), "beside", "panel at the right", "Panels", 1),
    *(Key((str(number),), "number", "panel of this number", "Panels", number) for number in range(1, 10)),
    Key(("o", "+", "-"), "expand", "more rows, or fewer", "Panels"),
    Key(("f",), "full", "the panel alone, with all measures; f again leads back", "Panels"),
    Key(("s", "f6"), "sort", "menu of what it is sorted by", "Panels"),
    Key(("m", ">"), "measure", "sort by the next measure", "Panels", 1),
    Key(("M", "<"), "measure", "sort by the measure before", "Panels", -1),
    Key(("r", "I"), "reverse", "smallest first, or largest", "Panels"),
    Key(("/", "f3", "f4"), "search", "search in the panel", "Panels"),
    Key(("down", "j"), "row", "next row", "Rows", 1),
    Key(("up", "k"), "row", "row before", "Rows", -1),
    Key(("pagedown", "ctrl+f"), "page", "a page down", "Rows", 1),
    Key(("pageup", "ctrl+b"), "page", "a page up", "Rows", -1),
    Key(("home", "g"), "row", "first row", "Rows", -1_000_000),
    Key(("end", "G"), "row", "last row", "Rows", 1_000_000),
    Key(("enter",), "pick", "filter by the values of the row, or of the marked ones; of a request: its line", "Rows"),
    Key(("a",), "mark", "mark the row, for a filter by several", "Rows"),
    Key(("x",), "exclude", "any value but the first one of the row, or those of the marked ones", "Rows"),
    Key(("v", "l"), "requests", "the requests of the row", "Rows"),
    Key(("escape", "backspace"), "back", "undo the last step: a search, a filter, a window", "Rows"),
    Key(("~",), "flip", "negate the last filter: is, is not", "Rows"),
    Key(("\\",), "clear", "clear all filters", "Rows"),
)
BY_KEY: Mapping[str, Key] = {name: key for key in KEYS for name in key.keys}
# For the last line of the screen, as many as fit.
HINTS = (
    ("?", "help"),
    ("q", "quit"),
    ("enter", "filter"),
    ("escape", "back"),
    ("t", "window"),
    ("/", "search"),
    ("f", "full"),
    ("v", "requests"),
    ("x", "exclude"),
    ("s", "sort"),
    ("c", "compare"),
    ("b", "people"),
    ("space", "pause"),
    ("y", "SQL"),
    ("d", "chart"),
    ("tab", "next panel"),
    ("[", "window before"),
    ("u", "UTC"),
)
HINTS_OF_REQUESTS = (
    ("?", "help"),
    ("q", "quit"),
    ("enter", "line"),
    ("escape", "back"),
    ("t", "window"),
    ("y", "SQL"),
    ("b", "people"),
    ("space", "pause"),
    ("[", "window before"),
    ("u", "UTC"),
)

MOUSE = (
    ("click on a row", "choose it; again, or twice: filter by it"),
    ("Ctrl and click", "mark a row"),
    ("Alt and click, right click", "exclude the value"),
    ("click on the head of a column", "sort by it; again: the other order"),
    ("click on the name of a panel", "choose it; again: the panel alone"),
    ("click on a number at the top", "how it was counted, with its SQL"),
    ("click on a filter", "is becomes is not; on its × it goes"),
    ("drag over the chart", "the window is what you dragged over; a double click doubles it"),
)


def listed() -> list[Key]:
    """Return the entries for the help: the keys 1 to 9 as one."""
    found = [one for one in KEYS if one.action != "number"]
    place = next(place for place, one in enumerate(KEYS) if one.action == "number")
    return [*found[:place], Key(("1…9",), "number", "panel of this number", "Panels"), *found[place:]]
