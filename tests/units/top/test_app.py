"""The application in Textual's own harness: keys, mouse, sizes, new commits, and what fails meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from logagg.errors import LakeError
from logagg.explore.view import View
from logagg.top.app import Top, strip_of
from logagg.top.source import Source
from logagg.top.spans import Span, plain
from logagg.top.state import State
from tests.units.top.conftest import DAYS, Opened

Piloted = Pilot[None]


async def settle(pilot: Piloted) -> Top:
    """Wait until all is on the screen."""
    app = pilot.app
    assert isinstance(app, Top)
    for _ in range(2000):
        await pilot.pause(0.005)
        if app.feed.is_settled:
            return app
    raise AssertionError(f"not settled: {app.state.error}")


def text(app: Top) -> str:
    """Return the screen as Textual has it."""
    return "\n".join(
        "".join(segment.text for segment in app.canvas.render_line(y)).rstrip()
        for y in range(app.canvas.picture.height)
    )


@pytest.fixture
def run(opened: Opened) -> Callable[..., None]:
    """Return a function that runs an application while a test acts."""

    def do(act: Callable[[Piloted], Awaitable[None]], size: tuple[int, int] = (80, 24), **options: Any) -> None:
        shown = opened(*size, **options)
        shown.state.got.clear()

        async def main() -> None:
            async with Top(shown.state, shown.source).run_test(size=size) as pilot:
                await settle(pilot)
                await act(pilot)

        asyncio.run(main())

    return do


@pytest.mark.slow
def test_keys(run: Callable[..., None]) -> None:
    async def act(pilot: Piloted) -> None:
        app = await settle(pilot)
        assert "Pages" in text(app) and "Hits" in text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert app.state.view.pills and "Path =" in text(app)
        await pilot.press("backspace", "slash", *"tea", "enter", "question_mark")
        await settle(pilot)
        assert app.state.searches == {"pages": "tea"} and "Help" in text(app)
        await pilot.press("escape", "tab", "f", "space")
        await settle(pilot)
        assert app.state.mode == "panel" and app.state.paused and "Paused" in text(app)
        await pilot.press("f", "T", "ctrl+u", *"3h to 1h", "enter")
        await settle(pilot)
        assert app.state.view.window.until == "1h"
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running

    run(act)


@pytest.mark.slow
def test_mouse(run: Callable[..., None]) -> None:
    async def act(pilot: Piloted) -> None:
        app = await settle(pilot)
        lines = text(app).splitlines()
        row = app.state.rows[1]["path"]
        y = next(number for number, line in enumerate(lines) if row in line)
        await pilot.click(offset=(3, y))
        await settle(pilot)
        assert app.state.cursors["pages"] == 1 and not app.state.view.pills
        await pilot.click(offset=(3, y), control=True)
        await settle(pilot)
        assert app.state.marks == {"pages": {(("path", row),)}}
        chart = next(number for number, line in enumerate(lines) if line.startswith("      0 "))
        await pilot.mouse_down(offset=(20, chart))
        await pilot.mouse_up(offset=(50, chart))
        await settle(pilot)
        assert app.state.view.window != DAYS

    run(act)


@pytest.mark.parametrize("size", [(80, 24), (300, 90), (40, 20), (10, 3)])
@pytest.mark.slow
def test_sizes(size: tuple[int, int], run: Callable[..., None]) -> None:
    async def act(pilot: Piloted) -> None:
        app = await settle(pilot)
        assert app.canvas.picture.height == max(4, size[1])
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        assert app.canvas.picture.height == 40 and (app.state.width, app.state.height) == (120, 40)

    run(act, size)


def test_texts_are_not_markup() -> None:
    line = (Span("[red]x[/red] [link=file:///etc/passwd]y[/]", "bar"), Span("", "dim"), Span("é漢"))
    assert strip_of(line).text == plain(line)


def test_a_new_commit_is_shown_unless_paused(run: Callable[..., None]) -> None:
    async def act(pilot: Piloted) -> None:
        app = await settle(pilot)

        async def with_an_older_answer() -> int:
            state = app.state
            state.got["totals"] = replace(state.got["totals"], commit="an older one")
            app.feed.live._shown_at = float("-inf")
            app.look()
            await settle(pilot)
            return state.revision

        before = app.state.revision
        assert await with_an_older_answer() == before + 1 and app.state.commits == {app.feed.live._source.commit}
        await pilot.press("space")
        assert await with_an_older_answer() == before + 1
        newest = app.feed.live._source.commit  # back, so that the end of the pause is not itself the next look
        app.state.got["totals"] = replace(app.state.got["totals"], commit=newest)
        await pilot.press("space")
        assert await with_an_older_answer() == before + 2

    run(act)


@pytest.mark.slow
def test_what_fails_is_said_and_tried_again(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(pilot: Piloted) -> None:
        app = await settle(pilot)
        load = Source.load

        def fails(*_: object) -> None:
            raise LakeError("the disk is gone", "plug it in")

        monkeypatch.setattr(Source, "load", fails)
        await pilot.press("x")
        await pilot.pause(0.1)
        assert "! the disk is gone" in text(app) and "Trouble" in text(app)
        monkeypatch.setattr(Source, "load", load)
        app.feed.retry()
        await settle(pilot)
        assert "the disk is gone" not in text(app)

    run(act)


@pytest.mark.slow
def test_a_question_that_nobody_waits_for_is_interrupted(run: Callable[..., None]) -> None:
    async def act(pilot: Piloted) -> None:
        app = await settle(pilot)
        await pilot.press("x", "x", "c", "b", "[")
        running = app.feed._question
        await pilot.press("]", "enter")
        await settle(pilot)
        assert running is None or running.stop.done() or app.feed._question is None
        assert not app.state.error

    run(act)


def test_a_state_begins_with_its_window(demo_lake: Path) -> None:
    state = State(View(), lambda: 1_800_000_000.0)
    state.start(DAYS)
    assert state.view.window == DAYS
