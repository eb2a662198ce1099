"""Screens over the lake of the demo's logs, without a terminal: keys in, lines of text out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logagg.clock import ManualClock
from logagg.explore.panels import Panel
from logagg.explore.snapshots import AnswerLimits
from logagg.explore.view import Pill, View
from logagg.explore.windows import Window
from logagg.top import screen
from logagg.top.actions import Actions
from logagg.top.dialogs import Dialog
from logagg.top.pointer import Pointer
from logagg.top.presses import pressed
from logagg.top.source import Source
from logagg.top.spans import Picture, plain
from logagg.top.state import State
from tests.units.explore.conftest import demo_lake as demo_lake
from tests.units.explore.conftest import hostile_root as hostile_root

NOW = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)
DAYS = Window("2026-03-03", "2026-03-05")
GOLDEN = Path(__file__).parent / "screens"


@dataclass
class Shown:
    """A state with its lake, as the application has them."""

    state: State
    source: Source
    left: bool = False
    copied: list[str] = field(default_factory=list)
    picture: Picture = field(default_factory=lambda: Picture([]))

    def __post_init__(self) -> None:
        self.actions = Actions(self.state, self)
        self.pointer = Pointer(self.state, self.actions)
        self.settle()

    def leave(self) -> None:
        self.left = True

    def copy(self, text: str) -> None:
        self.copied.append(text)

    def read_line(self, row: Mapping[str, Any]) -> None:
        from logagg.top.texts import line_of

        self.state.dialog = line_of(row, self.source.line(row), self.state.width, self.state.zone)

    def settle(self) -> list[str]:
        """Ask until all is there; return the lines of the screen."""
        self.picture = screen.drawn(self.state)
        while parts := self.state.parts():
            loaded = self.source.load(self.state.view, parts)
            self.state.put(parts, loaded, self.state.revision)
            self.picture = screen.drawn(self.state)
        return self.lines

    def press(self, *keys: str) -> list[str]:
        for key in keys:
            pressed(self.state, self.actions, key, key if len(key) == 1 else "")
            self.settle()
        return self.lines

    def click(self, text: str, *, also: bool = False, not_: bool = False, twice: bool = False) -> list[str]:
        """Click on the first place of a text."""
        y, x = next((y, line.index(text)) for y, line in enumerate(self.lines) if text in line)
        self.pointer.down(x, y)
        self.pointer.click(self.picture.hits, x, y, also=also, not_=not_, twice=twice)
        return self.settle()

    def pills(self) -> Sequence[Pill]:
        return self.state.view.pills

    def mode(self) -> str:
        return self.state.mode

    def dialog(self) -> Dialog | None:
        return self.state.dialog

    @property
    def lines(self) -> list[str]:
        return [plain(line).rstrip() for line in self.picture.lines]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def row(self) -> Mapping[str, Any]:
        row = self.state.row
        assert row is not None
        return row

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        from logagg.query.snapshot import connect

        with connect(self.source.root) as connection:
            return connection.execute(query).fetchall()


Opened = Callable[..., Shown]


@pytest.fixture
def opened(demo_lake: Path) -> Opened:
    """Return a function that opens a screen."""

    def do(
        width: int = 80,
        height: int = 24,
        *,
        root: Path = demo_lake,
        window: Window = DAYS,
        by: tuple[Panel, ...] = (),
        where: str = "",
        zone: str = "UTC",
        **view: Any,
    ) -> Shown:
        clock = ManualClock(NOW.timestamp())
        source = Source(root, clock, AnswerLimits(), zone, where)
        state = State(
            View(window=window, where=where, zone=zone, **view),
            clock.now,
            by,
            width=width,
            height=height,
            colored=False,
        )
        state.name, state.home, state.lake = "demo", zone, source.look(thoroughly=True)
        return Shown(state, source)

    return do


def golden(name: str, text: str) -> None:
    """Compare a screen with that of a file, or write it with LOGAGG_GOLDEN=1."""
    file = GOLDEN / f"{name}.txt"
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    if os.environ.get("LOGAGG_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert file.read_text() == text
