"""The page over a lake that a tail is writing, while a real nginx is loaded; and over a log whose values clients chose."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.conftest import Command, wait_until
from tests.nginx import Load, Nginx
from tests.web.conftest import Open, board, serving, tile


@pytest.fixture
def served(logagg: Command) -> Iterator[list[subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        process.kill()
        process.communicate()


def test_commits_reach_the_page(
    logagg: Command, nginx: Nginx, load: Load, served: list[subprocess.Popen[str]], open_page: Open
) -> None:
    nginx.start()
    nginx.get("/first")
    tail = logagg.start("tail", "--flush", "0.3", nginx.logs)
    served.append(tail)
    wait_until(lambda: (logagg.lake / "logagg.duckdb").exists(), tail)
    process, address = serving(logagg)
    served.append(process)
    page = open_page(f"{address}?since=1h")
    expect(page.locator(".tile dd button").first).not_to_have_text("0", timeout=20_000)
    running = load.start(nginx.url, seconds=3)
    before = tile(page, "Hits")
    expect(page.locator(".tile dd button").first).not_to_have_text(before, timeout=20_000)
    answered = load.finish(running)
    nginx.stop()
    wait_until(lambda: logagg.read("SELECT coalesce(sum(hits), 0)::BIGINT FROM traffic")[0][0] > answered, tail)
    [(hits,)] = logagg.read("SELECT sum(hits)::BIGINT FROM traffic")
    exact = page.locator(".tile dd button").first
    expect(exact).to_have_attribute("title", f"{hits:,}", timeout=20_000)
    page.keyboard.press("Space")
    expect(page.locator(".live .state")).to_have_text("Paused")
    tail.kill()
    tail.wait()
    page.keyboard.press("Space")
    expect(page.locator(".live .state")).not_to_have_text("Live", timeout=30_000)


HOSTILE = (
    b"/<script>document.title='owned'</script>",
    b"/<img src=x onerror=document.title='owned'>",
    b"/%3Csvg/onload=document.title=1%3E",
    b"/\\x22onmouseover=alert(1)//",
    "/\u202egnp.exe".encode(),
    b"/\x1b[31mred",
    "/\u200b\u2066x\u2069".encode(),
    b"/javascript:alert(1)",
    b"/" + b"A" * 8000,
    b"/'%22)}];--",
    b"/{{constructor.constructor('alert(1)')()}}",
)


def test_a_hostile_log_changes_nothing(
    logagg: Command, served: list[subprocess.Popen[str]], open_page: Open, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    agent = b"<b onclick=alert(1)>Mozilla</b>"
    line = b'192.0.2.1 - - [04/Mar/2026:10:00:0%d +0000] "GET %s HTTP/1.1" 200 5 "http://<i>evil</i>/x" "%s"\n'
    log.write_bytes(
        b"".join(line % (number % 10, path, agent) for number, path in enumerate(HOSTILE))
        + b"<script>alert(2)</script>\n" * 3
    )
    logagg.run("tail", "--once", "-q", log)
    process, address = serving(logagg)
    served.append(process)
    page = open_page(f"{address}?since=2026-03-04&until=2026-03-05")
    title = page.title()
    shown = [row[0] for row in board(page, "pages")]
    assert len(shown) == 10 and page.title() == title
    for view in ("requests", "lines", "rejects"):
        page.goto(f"{address}?since=2026-03-04&until=2026-03-05&view={view}")
        page.locator("main table tbody tr, main .lines li").first.wait_for()
        page.wait_for_timeout(300)
        assert page.title().startswith(title.split(" ")[0]) and "owned" not in page.title()
    text = page.locator("body").inner_text()
    assert not set("\u202e\u2066\u2069\u200b\x1b") & set(text)
    strange = "main script, main img, main svg[onload], main [onclick], main [onmouseover], main i:has-text('evil')"
    assert page.locator(strange).count() == 0
    assert page.locator("a[href^='javascript'], a[href*='evil']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
