"""Take a picture of the page: LAKE, FILE. It shows two days of the demo's logs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

VIEW = "?since=2026-03-03&until=2026-03-05&compare=previous"


def main(lake: str, picture: str) -> None:
    argv = [Path(sys.executable).with_name("logagg"), "serve", "--lake", lake, "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        [address] = re.findall(r"http://\S+", server.stdout.readline())
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
            page.goto(address + VIEW)
            for shown in (".tiles", ".chart canvas", ".panel tbody tr"):
                page.locator(shown).first.wait_for()
            page.wait_for_timeout(500)  # the charts are drawn
            page.screenshot(path=picture)
            browser.close()
    finally:
        server.kill()
        server.communicate()


if __name__ == "__main__":
    main(*sys.argv[1:])
