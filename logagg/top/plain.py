"""One picture, printed once, for a pipe, a file or a mail: all panels, one below the other."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from logagg.top import screen
from logagg.top.source import Source
from logagg.top.spans import Line, plain
from logagg.top.state import State
from logagg.top.styles import style_of


def show(state: State, source: Source) -> None:
    """Print the picture of a state. Raises LogaggError."""
    state.lake = source.look(thoroughly=True)
    state.printed = True
    state.seen = tuple(panel.name for panel in state.panels)
    state.height = sys.maxsize  # so that all rows fit
    parts = state.parts()
    loaded = source.load(state.view, parts)
    state.put(parts, loaded, state.revision)
    state.cursors.clear()
    if not sys.stdout.isatty():
        state.colored = False
        sys.stdout.writelines(f"{plain(line).rstrip()}\n" for line in screen.plain(state))
        return
    console = Console(markup=False, highlight=False, emoji=False)
    state.colored = console.color_system is not None and not console.no_color
    for line in screen.plain(state):
        console.print(_text(line), soft_wrap=True)


def _text(line: Line) -> Text:
    """Return a line as a text of rich, without spaces at its end. Spans are appended unchanged, so markup in them has no effect."""
    text = Text()
    for span in line:
        text.append(span.text, style_of(span.style))
    text.rstrip()
    return text
