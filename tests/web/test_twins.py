"""The page and the terminal are twins: their numbers, words and windows are the same, by the page's own JavaScript."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from logagg.explore import figures
from logagg.explore.scope import DIMENSIONS, Scope
from logagg.explore.view import Pill, View
from logagg.explore.windows import PRESETS, Window, moved, widened
from tests.conftest import ROOT

NUMBERS = [
    *(None, 0, 1, 9, 12.34, 99.94, 99.95, 100.4, 999, 999.4, 1000, 1536, 12345, 99_999, 99_999.4, 100_000, 123_456),
    *(999_499, 999_500, 1_000_000, 2_500_000_000, 10**15, 0.5, 0.05, 0.0123, 0.00012, 1e-7, 0.001, 0.25, 2.5, 59.95),
]
CHANGES = [None, 0, 0.0001, 0.0005, 0.052, 0.0951, 0.1, 1.5, 9.9, 10, 123.4, -0.01, -0.099, -0.5, -1]
AGES = [None, 0, 0.4, 119, 119.6, 120, 7199, 7200, 172_799, 172_800, 10**7]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]
TIMES = [
    datetime(2026, month, day, hour, 30 * (day % 2), tzinfo=UTC)
    for month in (1, 3, 7, 11)
    for day in (1, 28)
    for hour in (0, 22)
]
NOW = datetime(2026, 11, 30, 2, 32, 20, tzinfo=UTC)
WINDOWS = [
    *(one.window for one in PRESETS),
    Window("2026-11-24T10:00Z", "2026-11-24T14:00Z"),
    Window("2026-11-30T00:10Z", "2026-11-30T01:30Z"),
]
SCRIPT = """
import * as format from '{lib}/format.js'
import * as window_ from '{lib}/window.js'
import * as url from '{lib}/url.js'
import * as text from '{lib}/text.js'
const {{ numbers, changes, ages, zones, times, windows, now, dimensions, steps }} = JSON.parse(process.argv[1])
const each = (list, one) => list.map(one)
const iso = (w) => w && {{ since: new Date(w.since).toISOString(), until: new Date(w.until).toISOString() }}
let state = {{ is: [], not: [] }}
console.log(JSON.stringify({{
    exact: each(numbers, format.exact), count: each(numbers, format.count), size: each(numbers, format.bytes),
    ratio: each(numbers, format.ratio), seconds: each(numbers, format.seconds),
    change: each(changes, format.change), age: each(ages, format.age),
    duration: each(numbers.filter((n) => n && n < 1e9), (n) => format.duration(n * 1000)),
    date_time: each(zones, (tz) => each(times, (t) => format.dateTime(t, tz, true))),
    period: each(zones, (tz) => each(times, (t) => format.period(t, t + 86_400_000, tz))),
    titles: each(dimensions, text.dimensionTitle),
    presets: each(window_.PRESETS, (p) => [p.since, p.until, p.key, p.title]),
    resolved: each(windows, (w) => iso(window_.resolve({{ ...w, tz: 'Europe/Berlin' }}, now))),
    before: each(windows, (w) => window_.shift({{ ...w, tz: 'UTC' }}, -1, now)),
    after: each(windows, (w) => window_.shift({{ ...w, tz: 'UTC' }}, 1, now)),
    wider: each(windows, (w) => window_.widen(window_.resolve({{ ...w, tz: 'UTC' }}, now), now)),
    filters: each(steps, ([step, dim, value]) => {{
        state = {{ ...state, ...url[step](state, {{ dim, value }}) }}
        return [...each(state.is, (f) => [f.dim, f.value, false]), ...each(state.not, (f) => [f.dim, f.value, true])]
    }}),
}}))
"""
STEPS = [
    ("pick", "path", "/a"),
    ("pickAlso", "path", "/b"),
    ("exclude", "status", "404"),
    ("pick", "path", "/b"),
    ("pick", "path", "/b"),
    ("pickAlso", "status", "404"),
    ("exclude", "status", "404"),
    ("pick", "site", "s"),
    ("pickAlso", "site", "s"),
]
OURS: dict[str, Callable[[View, str, str], View]] = {"pick": View.pick, "pickAlso": View.also, "exclude": View.exclude}


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """Return what the page's functions say."""
    import shutil

    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    asked = {
        "numbers": NUMBERS,
        "changes": CHANGES,
        "ages": AGES,
        "zones": ZONES,
        "times": [time.timestamp() * 1000 for time in TIMES],
        "windows": [{"since": one.since, "until": one.until} for one in WINDOWS],
        "now": NOW.timestamp() * 1000,
        "dimensions": DIMENSIONS,
        "steps": STEPS,
    }
    script = SCRIPT.format(lib=ROOT / "web/src/lib")
    done = subprocess.run(
        [node, "--input-type=module", "-e", script, json.dumps(asked)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_numbers(page: dict[str, Any]) -> None:
    for name in ("exact", "count", "size", "ratio", "seconds"):
        assert dict(zip(NUMBERS, map(getattr(figures, name), NUMBERS), strict=True)) == dict(
            zip(NUMBERS, page[name], strict=True)
        ), name
    assert list(map(figures.change, CHANGES)) == page["change"]
    assert list(map(figures.age, AGES)) == page["age"]
    assert [figures.duration(timedelta(seconds=one)) for one in NUMBERS if one and one < 10**9] == page["duration"]


def test_words_and_times(page: dict[str, Any]) -> None:
    zones = list(map(ZoneInfo, ZONES))
    assert [[figures.date_time(time, zone, year=True) for time in TIMES] for zone in zones] == page["date_time"]
    assert [[figures.period(time, time + timedelta(days=1), zone) for time in TIMES] for zone in zones] == page[
        "period"
    ]
    assert list(map(figures.dimension_title, DIMENSIONS)) == page["titles"]


def test_windows(page: dict[str, Any]) -> None:
    assert [[one.window.since, one.window.until, one.key, one.title] for one in PRESETS] == page["presets"]
    periods = [View(one, zone="Europe/Berlin").scope(NOW.timestamp()).period for one in WINDOWS]
    told = [{"since": _iso(one.since), "until": _iso(one.until)} for one in periods]
    assert told == page["resolved"]
    for direction, name in ((-1, "before"), (1, "after")):
        found = [moved(one, View(one).scope(NOW.timestamp()).period, direction, NOW) for one in WINDOWS]
        assert [{"since": one.since, "until": one.until} for one in found] == page[name], name
    found = [widened(View(one).scope(NOW.timestamp()).period, NOW) for one in WINDOWS]
    assert [{"since": one.since, "until": one.until} for one in found] == page["wider"]


def _iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.000Z"


def test_filters(page: dict[str, Any]) -> None:
    view = View()
    for (step, dimension, value), theirs in zip(STEPS, page["filters"], strict=True):
        view = OURS[step](view, dimension, value)
        assert set(view.pills) == {Pill(*one) for one in theirs}, (step, dimension, value)
    assert Scope.of(0, since="2026-01-01", until="2026-01-02")
