"""The application over a lake of the demo's logs, asked in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from logagg.clock import SystemClock
from logagg.explore.snapshots import AnswerLimits
from logagg.serve.api import ServedLake
from logagg.serve.app import Server
from logagg.serve.guard import Access
from tests.units.explore.conftest import ENDLESS as ENDLESS
from tests.units.explore.conftest import demo_lake as demo_lake

OpenClient = Callable[..., TestClient]


@pytest.fixture(scope="session")
def client_of(demo_lake: Path) -> OpenClient:
    """Return a function that gives a client; `access` and what the site permits may be told."""

    def opened(access: Access | None = None, base_url: str = "http://127.0.0.1:8080", **site: object) -> TestClient:
        limits = site.pop("limits", AnswerLimits())
        app = Server(ServedLake(demo_lake, limits, **site), SystemClock()).app(access or Access())  # type: ignore[arg-type]
        return TestClient(app, base_url, follow_redirects=False)

    return opened


@pytest.fixture(scope="session")
def client(client_of: OpenClient) -> TestClient:
    return client_of()
