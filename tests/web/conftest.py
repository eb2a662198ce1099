"""Debian's Chromium, driven over a real `logagg serve`."""

from __future__ import annotations

import os
import re
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.conftest import ROOT, Command

DAYS = "since=2026-03-03&until=2026-03-05"
SCREENSHOTS = ROOT / "build/screenshots"  # looked at by people, kept by CI


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the browser once; without Chromium the tests are skipped, but fail if CI=1."""
    path = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if os.path.exists(path)), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") == "1" else pytest.skip)("chromium is not installed")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


ALERTS = """
[[alert]]
name = "errors"
query = "SELECT site, sum(hits) AS value FROM errors GROUP BY site"
above = 60
message = "<b>{value}</b> errors at {site}"

[[alert]]
name = "slow"
query = "SELECT sum(seconds) / sum(hits) AS value FROM latency"
above = 0.001
for = "1h"

[[alert]]
name = "quiet"
query = "SELECT sum(hits) AS value FROM traffic"
below = 1
"""


@pytest.fixture(scope="session")
def demo_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Command, str]]:
    """Serve the lake of the demo's logs; return the command for SQL on it, and the address of the page."""
    folder = tmp_path_factory.mktemp("page")
    logagg, demo = Command(folder / "lake", folder), ROOT / "fixtures/demo"
    logagg.run("tail", "--once", "-q", "--config", demo / "logagg.toml", demo)
    (folder / "alerts.toml").write_text(ALERTS)
    logagg.run("alert", "run", "--once", "--config", folder / "alerts.toml")
    process, address = serving(logagg)
    yield logagg, address
    process.kill()
    process.communicate()


def serving(logagg: Command, *options: object) -> tuple[subprocess.Popen[str], str]:
    """Start `logagg serve`; return the process and its address."""
    argv = logagg.argv("serve", "--listen", "127.0.0.1:0", *options)
    process = subprocess.Popen(argv, cwd=logagg.folder, env=logagg.env, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found
    return process, found[0]


Open = Callable[..., Page]
Scheme = Literal["light", "dark"]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Return a function that opens an address; nothing may go wrong in the browser, not even a warning of the CSP."""
    contexts, said = [], []

    def opened(address: str, *, width: int = 1400, scheme: Scheme = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 1000}, color_scheme=scheme, reduced_motion="reduce"
        )
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.goto(address)
        page.locator(".tiles").wait_for(timeout=30_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


def tile(page: Page, name: str) -> str:
    """Return the number of a tile, as it is shown."""
    return page.locator(".tile", has=page.locator(f"dt:text-is('{name}')")).locator("dd button").inner_text()


def panel_of(page: Page, name: str) -> Locator:
    """Return a panel, on screen."""
    panel = page.locator(f"section.panel[aria-labelledby='panel-{name}']")
    panel.evaluate("element => element.scrollIntoView({block: 'center'})")  # not the click's own, which waits for rest
    return panel


def board(page: Page, name: str) -> list[list[str]]:
    """Return the cells of a panel, once they answer the question of now: a panel that waits still shows those before."""
    panel = panel_of(page, name)
    expect(panel).to_have_attribute("aria-busy", "false", timeout=30_000)
    panel.locator("tbody tr, .empty, .notes").first.wait_for()
    return [
        [cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in panel.locator("tbody tr").all()
    ]


def screenshot(page: Page, name: str) -> Path:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        page.screenshot(path=path)
    return path
