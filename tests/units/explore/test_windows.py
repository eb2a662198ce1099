"""Windows move, narrow, widen and follow the data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from logagg.errors import LogaggError
from logagg.explore.scope import Period, Scope
from logagg.explore.windows import (
    PRESETS,
    Preset,
    Window,
    first_window,
    last_of,
    moved,
    narrowed,
    preset_of,
    refresh_after,
    widened,
)

NOW = datetime(2026, 11, 30, 2, 32, 20, tzinfo=UTC)


def period(window: Window) -> Period:
    return Scope.of(NOW.timestamp(), since=window.since, until=window.until or None).period


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one.title)
def test_one_back_and_on_again_is_the_preset(preset: Preset) -> None:
    window = preset.window
    before = moved(window, period(window), -1, NOW)
    assert period(before).until <= period(window).until and before != window
    if window.since != "yesterday":
        assert moved(before, period(before), 1, NOW) == window


def test_moves_of_a_window_that_has_ended() -> None:
    window = Window("2026-11-24T10:00Z", "2026-11-24T12:00Z")
    assert moved(window, period(window), 1, NOW) == Window("2026-11-24T12:00Z", "2026-11-24T14:00Z")
    assert moved(window, period(window), -1, NOW) == Window("2026-11-24T08:00Z", "2026-11-24T10:00Z")
    odd = Window("2026-11-30T00:10Z", "2026-11-30T01:30Z")
    assert moved(odd, period(odd), 1, NOW) == Window("80m")


def test_zoom() -> None:
    window = Window("2026-11-24T10:00Z", "2026-11-24T14:00Z")
    assert narrowed(period(window)) == Window("2026-11-24T11:00Z", "2026-11-24T13:00Z")
    assert widened(period(window), NOW) == Window("2026-11-24T08:00Z", "2026-11-24T16:00Z")
    wide = widened(period(Window("1h")), NOW)
    assert wide == Window("2026-11-30T00:31Z", "2026-11-30T02:33Z")
    assert narrowed(Period(NOW, NOW + timedelta(minutes=3))) is None


def test_written() -> None:
    assert Window.written(" 3h ") == Window("3h") and Window.written("yesterday to today") == Window(
        "yesterday", "today"
    )
    assert Window.written("1d..now") == Window("1d") and str(Window("a", "b")) == "a to b"
    assert preset_of(Window("5m")) and not preset_of(Window("6m"))
    with pytest.raises(LogaggError):
        Window.written(" to today")


def test_the_first_window_has_data() -> None:
    assert first_window(None, NOW) == first_window(NOW - timedelta(hours=3), NOW) == Window()
    old = datetime(2026, 3, 4, 23, 59, tzinfo=UTC)
    assert first_window(old, NOW) == last_of(old) == Window("2026-03-03T23:59Z", "2026-03-04T23:59Z")


def test_how_often_it_follows() -> None:
    assert [refresh_after(period(one.window), NOW) for one in PRESETS] == [1, 1, 5, 30, 30, 5, 30]
