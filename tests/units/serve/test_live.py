"""Events for open pages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from logagg.serve.live import Announcer


def test_a_page_is_told_what_is_and_what_changes() -> None:
    lake: dict[str, Any] = {"commit": 1}

    async def read() -> list[bytes]:
        announcer = Announcer(lambda: dict(lake), lambda: {"commit": lake["commit"], "state": "good"})
        found = []
        async for event in announcer.events():
            found.append(event)
            if b"commit\nid: 1\n" in event:
                lake["commit"] = 2
            if b"commit\nid: 2\n" in event:
                break
        return found

    found = asyncio.run(asyncio.wait_for(read(), 10))
    assert found[0].startswith(b"retry:")
    assert b'data: {"commit": 2}' in found[-1]
    assert [one for one in found if b"event: status" in one][0].endswith(b'"state": "good"}\n\n')


@pytest.mark.slow
def test_a_page_that_does_not_read_holds_nothing_up() -> None:
    count = 0

    def commit() -> dict[str, Any]:
        nonlocal count
        count += 1
        return {"commit": count}

    async def read() -> tuple[int, bytes]:
        announcer = Announcer(commit, lambda: {"commit": count})
        slow = announcer.events()
        await anext(slow)
        await asyncio.sleep(3)
        events = [await anext(slow) for _ in range(9)]
        await slow.aclose()  # type: ignore[attr-defined]
        return announcer.pages, b"".join(events)

    pages, events = asyncio.run(asyncio.wait_for(read(), 20))
    assert pages == 0
    assert events.count(b"event:") == 9, "the oldest were dropped"


@pytest.mark.slow
def test_nobody_looks_while_no_page_is_open() -> None:
    looks = 0

    def commit() -> dict[str, Any]:
        nonlocal looks
        looks += 1
        return {"commit": 1}

    async def read() -> int:
        announcer = Announcer(commit, lambda: {"commit": 1})
        page = announcer.events()
        await anext(page)
        await anext(page)
        await page.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)
        seen = looks
        await asyncio.sleep(0.6)
        return looks - seen

    assert asyncio.run(read()) == 0
