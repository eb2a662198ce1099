"""Dialogs over the picture: texts, menus, and the line in which the user types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from logagg.query.shorten import width as width_of
from logagg.top.spans import SELECTED, Hit, Line, Picture, Span, cells, clipped, cropped, filled, restyled, text_of

FRAME = 4  # cells of the border and the space beside it
WIDEST = 120


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a menu: its key, its text, and its action."""

    key: str
    text: str
    do: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Dialog:
    """A title, and lines or choices below it."""

    title: str
    lines: Sequence[Line] = ()
    choices: Sequence[Choice] = ()
    cursor: int = 0
    first: int = 0
    copied: str = ""  # the text that y copies

    @property
    def content(self) -> Sequence[Line]:
        if not self.choices:
            return self.lines
        wide = max(len(one.key) for one in self.choices)
        return [(Span(f"{one.key:<{wide}}  ", "key"), Span(one.text)) for one in self.choices]

    def moved(self, rows: int, height: int) -> Dialog:
        """Move the cursor of a menu, or scroll a text."""
        if self.choices:
            return replace(self, cursor=max(0, min(self.cursor + rows, len(self.choices) - 1)))
        return replace(self, first=max(0, min(self.first + rows, len(self.lines) - (height - 2))))

    def drawn(self, width: int, height: int) -> Picture:
        """Return the box, as large as its content."""
        content = self.content
        inside = min(max([width_of(self.title) + 2, *map(cells, content)]), WIDEST, width - FRAME)
        rows = min(len(content), height - 2)
        first = max(self.cursor - rows + 1, min(self.first, max(0, len(content) - rows)), 0)
        lines, hits = [_edge("╭", f" {self.title} ", "╮", inside)], []
        for place, line in enumerate(content[first : first + rows], first):
            selected = bool(self.choices) and place == self.cursor
            text = filled(restyled(line, SELECTED) if selected else line, inside, SELECTED if selected else "")
            if self.choices:
                hits.append(Hit(len(lines), 0, inside + FRAME, "choose", place))
            lines.append((Span("│ ", "dim"), *text, Span(" │", "dim")))
        more = " ↓ " if first + rows < len(content) else ""
        return Picture([*lines, _edge("╰", more, "╯", inside)], hits)


def _edge(left: str, text: str, right: str, inside: int) -> Line:
    title = clipped((Span(text, "title"),), inside)
    return (Span(f"{left}─", "dim"), *title, Span("─" * (inside + 1 - cells(title)) + right, "dim"))


def over(below: Picture, dialog: Picture, width: int, height: int) -> Picture:
    """Put a dialog into the middle of a picture; clicks act on the dialog only."""
    wide = max(map(cells, dialog.lines))
    top, left = max(0, (height - dialog.height) // 2), max(0, (width - wide) // 2)
    lines = [filled(restyled(line, "dim"), width) for line in below.lines]
    lines += [filled((), width)] * (height - len(lines))
    for place, line in enumerate(dialog.lines[:height]):
        rest = width - left - wide
        lines[top + place] = (*cropped(lines[top + place], left), *line, Span(" " * rest))
    hits = [Hit(place, 0, width, "close") for place in range(height)]
    return Picture(lines, [*(hit.moved(top, left) for hit in dialog.hits), *hits])


def wrapped(text: str, width: int, style: str = "") -> Iterator[Line]:
    """Yield a text in lines of at most this width, broken at any character, so that nothing is added or lost."""
    rest = text
    while rest:
        place = len(rest) if width_of(rest) <= width else _fitting(rest, width)
        yield (Span(rest[:place], style),)
        rest = rest[place:]


def _fitting(text: str, width: int) -> int:
    left = width
    for place, character in enumerate(text):
        left -= width_of(character)
        if left < 0:
            return max(1, place)
    return len(text)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A line in which the user types. `change` receives the text after each key, `done` the final text, or None if cancelled."""

    label: str
    text: str
    done: Callable[[str | None], None]
    change: Callable[[str], None] = lambda _: None
    at: int = -1  # characters before the cursor; -1: the cursor is at the end

    @property
    def cursor(self) -> int:
        return len(self.text) if self.at < 0 else self.at

    def typed(self, text: str) -> Prompt:
        at = self.cursor
        return replace(self, text=self.text[:at] + text + self.text[at:], at=at + len(text))

    def edited(self, key: str) -> Prompt:
        """Return the prompt after a key; a key that does not edit changes nothing."""
        at, text = self.cursor, self.text
        match key:
            case "backspace" | "ctrl+h":
                return replace(self, text=text[: max(0, at - 1)] + text[at:], at=max(0, at - 1))
            case "delete" | "ctrl+d":
                return replace(self, text=text[:at] + text[at + 1 :])
            case "ctrl+u":
                return replace(self, text=text[at:], at=0)
            case "ctrl+k":
                return replace(self, text=text[:at])
            case "ctrl+w":
                start = len(text[:at].rstrip().rpartition(" ")[0])
                return replace(self, text=text[:start] + text[at:], at=start)
            case "left" | "ctrl+b" | "right" | "ctrl+f":
                return replace(self, at=max(0, min(len(text), at + (1 if key in ("right", "ctrl+f") else -1))))
            case "home" | "ctrl+a" | "end" | "ctrl+e":
                return replace(self, at=0 if key in ("home", "ctrl+a") else len(text))
        return self

    def drawn(self, width: int) -> Line:
        """Return the label, and the part of the text around the cursor."""
        shown, at = (
            text_of(self.text) if self.text else "",
            len(text_of(self.text[: self.cursor])) if self.cursor else 0,
        )
        room = max(4, width - width_of(self.label) - 2)
        while width_of(shown[:at]) >= room:
            shown, at = shown[1:], at - 1
        after = shown[at : at + 1] or " "
        return clipped(
            (Span(f"{self.label} ", "key"), Span(shown[:at]), Span(after, SELECTED), Span(shown[at + 1 :])), width
        )
